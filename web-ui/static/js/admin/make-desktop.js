// SPDX-License-Identifier: Apache-2.0
// Making a desktop: from an installer's disc, from a disk that is there, or from a template.
import { html } from "../lib/html.js";
import { get, post } from "../lib/api.js";
import { useAll } from "../lib/data.js";
import { go, link } from "../lib/route.js";
import { useLimits } from "../lib/schema.js";
import { FIRMWARE, GUEST_OS } from "../lib/words.js";
import { Dialog } from "../parts/dialog.js";
import { Check, Choice, Ends, Select, Text, Trouble, useForm } from "../parts/form.js";

const GIB = 1024 ** 3;

/** The disks of a desktop that begins as something: the disk first, so that it starts from that once something is on it. */
function disksOf({ from, disc, disk, size }) {
  if (from === "disc") return [{ type: "disk", size: Math.round(size * GIB) }, { type: "cdrom", ...(disc && { image: disc }) }];
  return [{ type: "disk", image: disk }];
}

const MACHINE = ["memory", "vcpus", "firmware", "secure_boot", "tpm", "guest_os", "monitors", "cpu_weight", "cpu_percent", "disk_read_mib", "disk_write_mib", "disk_read_ops", "disk_write_ops"];
const machineOf = (template) => Object.fromEntries(MACHINE
  .filter((name) => template[name] !== undefined).map((name) => [name, template[name]]));

async function bodyOf(values) {
  const name = values.name.trim();
  if (values.from === "template") {
    const template = await get(`/templates/${values.template}`); // lists leave its disks and cards out
    return { name, template: template.id, ...machineOf(template), disks: template.disks, nics: (template.nics || []).map(({ network }) => ({ network })) };
  }
  return {
    name, memory: Math.round(values.memory * 1024), vcpus: Number(values.vcpus), guest_os: values.guest_os, firmware: values.firmware,
    ...(values.tpm && { tpm: true }), disks: disksOf(values), nics: values.network ? [{ network: values.network }] : [],
  };
}

export function MakeDesktop({ image, onClose }) {
  const images = (useAll("image").value || []).filter((one) => one.state === "ready");
  const networks = useAll("network").value || [];
  const templates = useAll("template").value || [];
  const limits = useLimits("desktop");
  const start = {
    name: "", from: image ? (image.type === "iso" ? "disc" : "disk") : "disc", disc: image?.type === "iso" ? image.id : "", disk: image?.type === "disk" ? image.id : "", template: "",
    size: 32, memory: 4, vcpus: 2, guest_os: "linux", firmware: "uefi", tpm: false, network: null, open: true,
  };
  const form = useForm(start, async (values) => {
    const network = values.network ?? networks[0]?.id ?? "";
    const desktop = await post("/desktops", await bodyOf({ ...values, network }));
    onClose();
    if (values.open) go("view", desktop.id);
    else go("desktops", desktop.id);
  });
  const { from } = form.values;
  const of = (type, none) => [["", images.some((one) => one.type === type) ? "Choose one" : none], ...images.filter((one) => one.type === type).map((one) => [one.id, one.name])];
  const own = from !== "template";
  return html`<${Dialog} title="New desktop" onClose=${onClose} wide><form class="form" onSubmit=${form.submit}>
    <${Trouble} form=${form} fields=${["name", "memory", "vcpus", "template", "firmware", "guest_os"]} />
    <${Text} ...${form.bind("name")} label="Name" required autofocus limits=${limits.name} />
    <${Choice} ...${form.bind("from")} label="How it begins" options=${[["disc", "Install from a disc", "An empty disk, and an installer's ISO."], ["disk", "A disk that is ready", "A system somebody installed already."], ["template", "Like a template"]]} />
    ${from === "disc" && html`<div class="pair"><${Select} ...${form.bind("disc")} label="Installer's disc" required options=${of("iso", "Upload an ISO first")} />
      <${Text} ...${form.bind("size")} label="Size of the disk" type="number" min="1" step="any" unit="GiB" required /></div>`}
    ${from === "disk" && html`<${Select} ...${form.bind("disk")} label="Disk" required options=${of("disk", "Upload a disk first")} />`}
    ${from === "template" && html`<${Select} ...${form.bind("template")} label="Template" required options=${[["", templates.length ? "Choose one" : "There is no template yet"], ...templates.map((one) => [one.id, one.name])]} />`}
    ${own && html`<div class="pair"><${Select} ...${form.bind("guest_os")} label="System" options=${Object.entries(GUEST_OS)} />
        <${Text} ...${form.bind("memory")} label="Memory" type="number" min="0.25" max="512" step="any" unit="GiB" required />
        <${Text} ...${form.bind("vcpus")} label="Processors" type="number" limits=${limits.vcpus} required /></div>
      <${Select} name="network" label="Network" value=${form.values.network ?? networks[0]?.id ?? ""} onValue=${(value) => form.set("network", value)} options=${[...networks.map((one) => [one.id, one.name]), ["", "None"]]} />
      <details class="more"><summary>More settings</summary><div class="form"><${Select} ...${form.bind("firmware")} label="Starts by" options=${Object.entries(FIRMWARE)} />
        <${Check} ...${form.bind("tpm")} label="TPM 2.0" hint="Windows 11 wants one." /></div></details>`}
    <${Check} ...${form.bind("open")} label="Start it and show me its screen" />
    ${!images.length && own && html`<p class="small soft">There is no image yet: <a href="${link("images")}?new" onClick=${onClose}>upload one</a> first.</p>`}
    <${Ends} form=${form} yes="Make it" onCancel=${onClose} /></form></${Dialog}>`;
}
