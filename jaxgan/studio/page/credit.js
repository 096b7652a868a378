// What a picture says of itself, as jaxgan.credentials writes it: an XMP packet in the PNG's iTXt chunk.

const SOURCES = 'http://cv.iptc.org/newscodes/digitalsourcetype/';
const IPTC = 'http://iptc.org/std/Iptc4xmpExt/2008-02-29/';
const RDF = 'http://www.w3.org/1999/02/22-rdf-syntax-ns#';
const XMP = 'http://ns.adobe.com/xap/1.0/';
const OWN = 'urn:jaxgan:1.0/';

// Attributes may hold what a visitor typed: characters that XML has no place for are dropped.
function quoted(value) {
  const entities = { '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;', '\n': '&#10;', '\r': '&#13;', '\t': '&#9;' };
  // eslint-disable-next-line no-control-regex
  const allowed = String(value).toWellFormed().replace(/[\u0000-\u0008\u000b\u000c\u000e-\u001f\ufffe\uffff]/g, '');
  return `"${allowed.replace(/[&<>"\n\r\t]/g, (c) => entities[c])}"`;
}

// fields: model, data, seeds, version and details, by name; with `source`, a picture's SHA-256, it is a composite.
export function toXmp(fields) {
  const told = Object.entries(fields).filter(([, value]) => value !== undefined && value !== '');
  for (const [name] of told) if (!/^[a-z][a-z0-9_]*$/.test(name)) throw new Error(`the detail ${name} is no name`);
  const own = told.map(([name, value]) => ` jaxgan:${name}=${quoted(value)}`).join('');
  const kind = fields.source ? 'compositeWithTrainedAlgorithmicMedia' : 'trainedAlgorithmicMedia';
  return (
    '<?xpacket begin="\ufeff" id="W5M0MpCehiHzreSzNTczkc9d"?><x:xmpmeta xmlns:x="adobe:ns:meta/">' +
    `<rdf:RDF xmlns:rdf="${RDF}"><rdf:Description rdf:about="" xmlns:Iptc4xmpExt="${IPTC}" xmlns:xmp="${XMP}" xmlns:jaxgan="${OWN}" ` +
    `xmp:CreatorTool=${quoted(`jaxgan ${fields.version}`)} Iptc4xmpExt:DigitalSourceType="${SOURCES}${kind}"${own}/>` +
    '</rdf:RDF></x:xmpmeta><?xpacket end="w"?>'
  );
}

const TABLE = Uint32Array.from({ length: 256 }, (_, n) => {
  for (let i = 0; i < 8; i++) n = n & 1 ? (n >>> 1) ^ 0xedb88320 : n >>> 1;
  return n;
});

function crc32(bytes) {
  let crc = 0xffffffff;
  for (const byte of bytes) crc = TABLE[(crc ^ byte) & 0xff] ^ (crc >>> 8);
  return (crc ^ 0xffffffff) >>> 0;
}

// PNG bytes with a packet put behind their header (which is 8 + 25 bytes long).
export function withPacket(png, packet) {
  const data = new TextEncoder().encode(`iTXtXML:com.adobe.xmp\0\0\0\0\0${packet}`);
  const chunk = new Uint8Array(data.length + 8);
  const view = new DataView(chunk.buffer);
  view.setUint32(0, data.length - 4);
  chunk.set(data, 4);
  view.setUint32(data.length + 4, crc32(data));
  const whole = new Uint8Array(png.length + chunk.length);
  whole.set(png.subarray(0, 33));
  whole.set(chunk, 33);
  whole.set(png.subarray(33), 33 + chunk.length);
  return whole;
}

export async function sha256(bytes) {
  if (!crypto.subtle) throw new Error('this needs https, or localhost');
  const digest = new Uint8Array(await crypto.subtle.digest('SHA-256', bytes));
  return [...digest].map((byte) => byte.toString(16).padStart(2, '0')).join('');
}
