/* SPDX-License-Identifier: Apache-2.0 */
/* Numbers of the xHCI specification 1.2, by its clauses. */
#pragma once

/* --- where registers are ---------------------------------------------------------------------------------------- */

#define XHCI_BAR_SIZE 0x4000
#define XHCI_CAPLENGTH 0x40 /* and so where the operational registers begin, 5.3.1 */
#define XHCI_EXTENDED 0x20  /* extended capabilities (7), behind the eight capability registers */
#define XHCI_RUNTIME 0x1000
#define XHCI_INTERRUPTER 0x20 /* bytes of an interrupter's registers, and where in the runtime registers the first is */
#define XHCI_DOORBELLS 0x2000
#define XHCI_PORTS 0x400 /* in the operational registers */
#define XHCI_PORT_SIZE 0x10

/* Capability registers, 5.3. */
#define CAP_LENGTH_VERSION 0x00
#define CAP_HCSPARAMS1 0x04
#define CAP_HCSPARAMS2 0x08
#define CAP_HCSPARAMS3 0x0c
#define CAP_HCCPARAMS1 0x10
#define CAP_DBOFF 0x14
#define CAP_RTSOFF 0x18
#define CAP_HCCPARAMS2 0x1c

#define HCIVERSION 0x0120
#define HCCPARAMS1_AC64 (1u << 0)
#define HCCPARAMS1_NSS (1u << 7) /* no secondary stream arrays */
#define HCCPARAMS1_MAX_PSA(n) ((n) << 12)
#define HCCPARAMS1_XECP(bytes) ((bytes) / 4 << 16)

/* Operational registers, 5.4. */
#define OP_USBCMD 0x00
#define OP_USBSTS 0x04
#define OP_PAGESIZE 0x08
#define OP_DNCTRL 0x14
#define OP_CRCR 0x18
#define OP_DCBAAP 0x30
#define OP_CONFIG 0x38

#define USBCMD_RS (1u << 0)
#define USBCMD_HCRST (1u << 1)
#define USBCMD_INTE (1u << 2)
#define USBCMD_HSEE (1u << 3)
#define USBCMD_CSS (1u << 8)
#define USBCMD_CRS (1u << 9)
#define USBCMD_EWE (1u << 10)

#define USBSTS_HCH (1u << 0)
#define USBSTS_HSE (1u << 2)
#define USBSTS_EINT (1u << 3)
#define USBSTS_PCD (1u << 4)
#define USBSTS_SSS (1u << 8)
#define USBSTS_RSS (1u << 9)
#define USBSTS_SRE (1u << 10)
#define USBSTS_CNR (1u << 11)
#define USBSTS_HCE (1u << 12)
#define USBSTS_CHANGES (USBSTS_HSE | USBSTS_EINT | USBSTS_PCD | USBSTS_SRE) /* written with 1 to clear */

#define CRCR_RCS (1u << 0)
#define CRCR_CS (1u << 1)
#define CRCR_CA (1u << 2)
#define CRCR_CRR (1u << 3)

/* A port's registers, 5.4.8. */
#define PORTSC_CCS (1u << 0)
#define PORTSC_PED (1u << 1)
#define PORTSC_PR (1u << 4)
#define PORTSC_PLS_SHIFT 5
#define PORTSC_PLS (0xfu << PORTSC_PLS_SHIFT)
#define PORTSC_PP (1u << 9)
#define PORTSC_SPEED_SHIFT 10
#define PORTSC_SPEED (0xfu << PORTSC_SPEED_SHIFT)
#define PORTSC_PIC (3u << 14)
#define PORTSC_LWS (1u << 16)
#define PORTSC_CSC (1u << 17)
#define PORTSC_PEC (1u << 18)
#define PORTSC_WRC (1u << 19)
#define PORTSC_PRC (1u << 21)
#define PORTSC_PLC (1u << 22)
#define PORTSC_CHANGES (0x7fu << 17)
#define PORTSC_WAKES (7u << 25) /* WCE, WDE, WOE */
#define PORTSC_WPR (1u << 31)

typedef enum {
    PLS_U0 = 0,
    PLS_U3 = 3,
    PLS_DISABLED = 4,
    PLS_RX_DETECT = 5,
    PLS_POLLING = 7,
    PLS_RESUME = 15,
} XhciLinkState;

/* Runtime registers, 5.5; an interrupter's, 5.5.2. */
#define RT_MFINDEX 0x00
#define IR_IMAN 0x00
#define IR_IMOD 0x04
#define IR_ERSTSZ 0x08
#define IR_ERSTBA 0x10
#define IR_ERDP 0x18

#define IMAN_IP (1u << 0)
#define IMAN_IE (1u << 1)
#define IMOD_INTERVAL 0xffffu /* of 250 ns */
#define IMOD_DEFAULT 4000u
#define ERDP_EHB (1u << 3)

/* --- transfer request blocks, 6.4 -------------------------------------------------------------------------------- */

#define TRB_SIZE 16
#define TRB_CYCLE (1u << 0)
#define TRB_TOGGLE (1u << 1) /* links */
#define TRB_ISP (1u << 2)
#define TRB_CHAIN (1u << 4)
#define TRB_IOC (1u << 5)
#define TRB_IMMEDIATE (1u << 6)
#define TRB_TYPE_SHIFT 10
#define TRB_TYPE(control) ((control) >> TRB_TYPE_SHIFT & 0x3f)
#define TRB_LENGTH(status) ((status) & 0x1ffff)
#define TRB_INTERRUPTER(status) ((status) >> 22)
#define TRB_DIR_IN (1u << 16) /* data and status stages */
#define TRB_SIA (1u << 31)    /* isochronous: start as soon as possible */
#define TRB_FRAME(control) ((control) >> 20 & 0x7ff)
#define TRB_BEI (1u << 9) /* normal, isochronous and event data: what it tells interrupts nobody, 4.17.5 */
#define TRB_BSR (1u << 9) /* address device: leave the device alone */
#define TRB_DC (1u << 9)  /* configure endpoint: deconfigure */
#define TRB_TSP (1u << 9) /* reset endpoint: go on with the transfer */
#define TRB_SLOT(control) ((control) >> 24)
#define TRB_ENDPOINT(control) ((control) >> 16 & 0x1f)
#define TRB_EVENT_DATA (1u << 2)

/* 6.4.6 */
typedef enum {
    TRB_NORMAL = 1,
    TRB_SETUP_STAGE = 2,
    TRB_DATA_STAGE = 3,
    TRB_STATUS_STAGE = 4,
    TRB_ISOCH = 5,
    TRB_LINK = 6,
    TRB_EVENT_DATA_BLOCK = 7,
    TRB_NO_OP = 8,
    TRB_ENABLE_SLOT = 9,
    TRB_DISABLE_SLOT = 10,
    TRB_ADDRESS_DEVICE = 11,
    TRB_CONFIGURE_ENDPOINT = 12,
    TRB_EVALUATE_CONTEXT = 13,
    TRB_RESET_ENDPOINT = 14,
    TRB_STOP_ENDPOINT = 15,
    TRB_SET_TR_DEQUEUE = 16,
    TRB_RESET_DEVICE = 17,
    TRB_GET_PORT_BANDWIDTH = 21,
    TRB_NO_OP_COMMAND = 23,
    TRB_TRANSFER_EVENT = 32,
    TRB_COMMAND_COMPLETION_EVENT = 33,
    TRB_PORT_STATUS_CHANGE_EVENT = 34,
    TRB_HOST_CONTROLLER_EVENT = 37,
    TRB_MFINDEX_WRAP_EVENT = 39,
} XhciTrbType;

/* Completion codes, 6.4.5. */
typedef enum {
    CC_NONE = 0, /* ours: not yet known */
    CC_SUCCESS = 1,
    CC_BABBLE = 3,
    CC_TRANSACTION_ERROR = 4,
    CC_TRB_ERROR = 5,
    CC_STALL = 6,
    CC_RESOURCE = 7,
    CC_NO_SLOTS = 9,
    CC_INVALID_STREAM_TYPE = 10,
    CC_SLOT_NOT_ENABLED = 11,
    CC_ENDPOINT_NOT_ENABLED = 12,
    CC_SHORT_PACKET = 13,
    CC_RING_UNDERRUN = 14,
    CC_RING_OVERRUN = 15,
    CC_PARAMETER = 17,
    CC_CONTEXT_STATE = 19,
    CC_EVENT_RING_FULL = 21,
    CC_MISSED_SERVICE = 23,
    CC_COMMAND_RING_STOPPED = 24,
    CC_STOPPED = 26,
    CC_INVALID_STREAM_ID = 34,
} XhciCode;

/* --- contexts, 6.2 ------------------------------------------------------------------------------------------------ */

#define CONTEXT_SIZE 32 /* HCCPARAMS1.CSZ is 0 */
#define STREAM_CONTEXT_SIZE 16

/* 6.2.2 */
typedef enum { SLOT_ENABLED = 0, SLOT_DEFAULT = 1, SLOT_ADDRESSED = 2, SLOT_CONFIGURED = 3 } XhciSlotState;

/* 6.2.3 */
typedef enum {
    EP_DISABLED = 0,
    EP_RUNNING = 1,
    EP_HALTED = 2,
    EP_STOPPED = 3,
    EP_ERROR = 4,
} XhciEndpointState;

/* 6.2.3, EP Type: transfer types and, for all but control, 4 more for IN. */
typedef enum {
    EP_TYPE_NONE = 0,
    EP_TYPE_ISOCH_OUT = 1,
    EP_TYPE_BULK_OUT = 2,
    EP_TYPE_INTERRUPT_OUT = 3,
    EP_TYPE_CONTROL = 4,
    EP_TYPE_ISOCH_IN = 5,
    EP_TYPE_BULK_IN = 6,
    EP_TYPE_INTERRUPT_IN = 7,
} XhciEndpointType;
