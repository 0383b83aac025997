// SPDX-License-Identifier: Apache-2.0
// Keys by where they are on the keyboard (KeyboardEvent.code), as a PC's keyboard tells them (PC/AT set 1). The guest's own layout
// says what they mean, so every layout works. From 0x100 on: behind 0xe0.

const ROWS = [
  [0x01, "Escape"], [0x02, "Digit1 Digit2 Digit3 Digit4 Digit5 Digit6 Digit7 Digit8 Digit9 Digit0 Minus Equal Backspace Tab"],
  [0x10, "KeyQ KeyW KeyE KeyR KeyT KeyY KeyU KeyI KeyO KeyP BracketLeft BracketRight Enter ControlLeft"],
  [0x1e, "KeyA KeyS KeyD KeyF KeyG KeyH KeyJ KeyK KeyL Semicolon Quote Backquote ShiftLeft Backslash"],
  [0x2c, "KeyZ KeyX KeyC KeyV KeyB KeyN KeyM Comma Period Slash ShiftRight NumpadMultiply AltLeft Space CapsLock"],
  [0x3b, "F1 F2 F3 F4 F5 F6 F7 F8 F9 F10 NumLock ScrollLock Numpad7 Numpad8 Numpad9 NumpadSubtract Numpad4 Numpad5 Numpad6 NumpadAdd"],
  [0x4f, "Numpad1 Numpad2 Numpad3 Numpad0 NumpadDecimal"], [0x56, "IntlBackslash F11 F12"], [0x59, "NumpadEqual"],
  [0x64, "F13 F14 F15 F16 F17 F18 F19 F20 F21 F22 F23"], [0x70, "KanaMode"], [0x73, "IntlRo"], [0x76, "F24"], [0x79, "Convert"],
  [0x7b, "NonConvert"], [0x7d, "IntlYen"], [0x7e, "NumpadComma"], [0x71, "Lang2 Lang1"],
  [0x11c, "NumpadEnter ControlRight"], [0x120, "AudioVolumeMute LaunchApp2 MediaPlayPause"], [0x124, "MediaStop"], [0x110, "MediaTrackPrevious"],
  [0x119, "MediaTrackNext"], [0x12e, "AudioVolumeDown"], [0x130, "AudioVolumeUp"], [0x132, "BrowserHome"], [0x135, "NumpadDivide"],
  [0x137, "PrintScreen AltRight"], [0x147, "Home ArrowUp PageUp"], [0x14b, "ArrowLeft"], [0x14d, "ArrowRight"],
  [0x14f, "End ArrowDown PageDown Insert Delete"], [0x15b, "MetaLeft MetaRight ContextMenu Power Sleep"], [0x163, "WakeUp"],
  [0x165, "BrowserSearch BrowserFavorites BrowserRefresh BrowserStop BrowserForward BrowserBack LaunchApp1 LaunchMail MediaSelect"],
];

export const SCANCODES = new Map();
for (const [first, names] of ROWS) names.split(" ").forEach((name, i) => SCANCODES.set(name, first + i));
SCANCODES.set("OSLeft", 0x15b).set("OSRight", 0x15c).set("VolumeMute", 0x120).set("VolumeDown", 0x12e).set("VolumeUp", 0x130);

const PAUSE_DOWN = [0x1de1, 0x45], PAUSE_UP = [0x9de1, 0xc5]; // 0xe1 0x1d 0x45, and the same let go

/** What the inputs channel takes: the bytes in one number, the first lowest. [] for a key that has none. */
export function keyDown(code) {
  if (code === "Pause") return PAUSE_DOWN;
  const scancode = SCANCODES.get(code);
  return scancode === undefined ? [] : [scancode < 0x100 ? scancode : 0xe0 | ((scancode & 0xff) << 8)];
}

export function keyUp(code) {
  if (code === "Pause") return PAUSE_UP;
  const scancode = SCANCODES.get(code);
  return scancode === undefined ? [] : [scancode < 0x100 ? scancode | 0x80 : 0xe0 | (((scancode & 0xff) | 0x80) << 8)];
}

// Characters of keyboards on glass, which have no keys: as a keyboard of the United States has them.
const PLAIN = "`Backquote -Minus =Equal [BracketLeft ]BracketRight \\Backslash ;Semicolon 'Quote ,Comma .Period /Slash";
const SHIFTED = "~Backquote !Digit1 @Digit2 #Digit3 $Digit4 %Digit5 ^Digit6 &Digit7 *Digit8 (Digit9 )Digit0 _Minus +Equal {BracketLeft }BracketRight |Backslash :Semicolon \"Quote <Comma >Period ?Slash";
const CHARACTERS = new Map([[" ", ["Space", false]], ["\n", ["Enter", false]], ["\t", ["Tab", false]], ["\b", ["Backspace", false]]]);
for (const word of PLAIN.split(" ")) CHARACTERS.set(word[0], [word.slice(1), false]);
for (const word of SHIFTED.split(" ")) CHARACTERS.set(word[0], [word.slice(1), true]);
for (let i = 0; i < 26; i++) {
  const upper = String.fromCharCode(65 + i);
  CHARACTERS.set(upper, [`Key${upper}`, true]).set(upper.toLowerCase(), [`Key${upper}`, false]);
}
for (let i = 0; i < 10; i++) CHARACTERS.set(String(i), [`Digit${i}`, false]);

/** [code, with shift], or undefined for a character that such a keyboard does not have. */
export const keyOfCharacter = (character) => CHARACTERS.get(character);
