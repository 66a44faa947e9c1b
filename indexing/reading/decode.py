"""Decode: the bytes of a text in, its characters out, and in which encoding they were."""

from __future__ import annotations

import codecs
import re

from indexing.errors import UnreadableFile

BOM = "\ufeff"

_MAGIC = {
    b"\x89PNG": "a PNG image",
    b"\xff\xd8\xff": "a JPEG image",
    b"GIF87a": "a GIF image",
    b"GIF89a": "a GIF image",
    b"%PDF-": "a PDF; rename it to .pdf",
    b"PK\x03\x04": "a ZIP archive or an Office file",
    b"\x1f\x8b": "gzip",
    b"\xfd7zXZ\x00": "xz",
    b"7z\xbc\xaf": "7-Zip",
    b"Rar!\x1a": "RAR",
    b"\x7fELF": "an ELF program",
    b"SQLite format 3\x00": "a SQLite database",
    b"\xd0\xcf\x11\xe0": "an old or encrypted Office file",
    b"{\\rtf": "an RTF document; save it as .docx or .txt",
}
_BOMS = (  # UTF-32 first: its little-endian mark begins with that of UTF-16
    (codecs.BOM_UTF32_LE, "utf-32-le"),
    (codecs.BOM_UTF32_BE, "utf-32-be"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)
# The encodings that web pages were written in before UTF-8 (WHATWG Encoding, section 4), under
# Python's names. DOS and Macintosh code pages are left out: on short texts they win by chance.
_LEGACY_ENCODINGS = [
    *(f"cp125{n}" for n in range(9)),
    *("iso8859_2", "koi8_r", "koi8_u", "cp874", "cp932", "euc_jp", "gb18030", "big5", "cp949"),
]
_CONTROL_CHARACTERS = re.compile(r"[\x00-\x08\x0e-\x1a\x1c-\x1f]")


def decode(data: bytes, declared: str | None = None) -> tuple[str, str]:
    """`data` as (text, encoding); UnreadableFile when it is empty, binary or in no encoding.

    UTF-8 is tried first, then what a page `declared`, then what its bytes look like.
    """
    for magic, kind in _MAGIC.items():
        if data.startswith(magic):
            raise UnreadableFile(f"looks like a binary file ({kind}), not text")
    text, encoding = _decode_unchecked(data, declared)
    if not text.strip(BOM + " \t\r\n\f\v\u00a0"):
        raise UnreadableFile("the file is empty")
    controls = sum(1 for _ in _CONTROL_CHARACTERS.finditer(text))
    if "\x00" in text or controls > 0.02 * len(text):
        raise UnreadableFile("looks like a binary file (control characters in it), not text")
    return text, encoding


def _decode_unchecked(data: bytes, declared: str | None) -> tuple[str, str]:
    if marked := _decode_marked(data):
        return marked
    if b"\x00" in data:
        return _decode_utf_16(data)
    try:
        return data.decode("utf-8"), "utf-8"
    except UnicodeDecodeError as exc:
        return _decode_other(data, declared, exc)


def _decode_marked(data: bytes) -> tuple[str, str] | None:
    """By a byte-order mark, where there is one."""
    for bom, encoding in _BOMS:
        if data.startswith(bom):
            try:
                return data.decode(encoding), encoding
            except UnicodeDecodeError as exc:
                raise UnreadableFile(
                    f"marked as {encoding.upper()} but byte {exc.start} does not fit; save as UTF-8"
                ) from exc
    return None


def _decode_utf_16(data: bytes) -> tuple[str, str]:
    # Text without a mark shows as UTF-16 when (nearly) every second byte is NUL.
    for encoding, first in (("utf-16-le", 1), ("utf-16-be", 0)):
        if data[first::2].count(0) > 0.7 * (len(data) // 2) and not data[1 - first :: 2].count(0):
            try:
                return data.decode(encoding), encoding
            except UnicodeDecodeError:
                break
    raise UnreadableFile("looks like a binary file (NUL bytes in it), not text")


def _decode_other(
    data: bytes, declared: str | None, problem: UnicodeDecodeError
) -> tuple[str, str]:
    """Of what is not UTF-8, for the `problem` named."""
    where = f"byte 0x{data[problem.start]:02x} at offset {problem.start}"
    lenient = data.decode("utf-8", "replace")
    damaged = lenient.count("\ufffd")
    if sum(1 for _ in re.finditer(r"[^\x00-\x7f\ufffd]", lenient)) >= 2 * damaged:
        # Read as anything else, all its other accents and quotation marks would turn to rubbish.
        raise UnreadableFile(f"damaged UTF-8: {where} does not fit; save the file as UTF-8 again")
    if declared:
        try:
            return data.decode(declared), codecs.lookup(declared).name
        except (LookupError, UnicodeDecodeError):
            pass  # a page may be wrong about itself
    detected = _detected_encoding(data)
    if detected is None:
        raise UnreadableFile(f"not UTF-8 ({where}) nor any encoding known; save it as UTF-8")
    try:
        return data.decode(detected), detected
    except UnicodeDecodeError as exc:
        raise UnreadableFile(f"not UTF-8 ({where}), and {detected} only in part") from exc


def _detected_encoding(data: bytes) -> str | None:
    """What charset-normalizer finds; of several that fit alike, the one most used on the web."""
    from charset_normalizer import from_bytes

    # Without its own fall-backs: they say ASCII or UTF-8 of bytes that are neither.
    matches = list(from_bytes(data, cp_isolation=_LEGACY_ENCODINGS, enable_fallback=False))
    if not matches:
        return None
    least_chaos = min(match.chaos for match in matches)
    clean = [match for match in matches if match.chaos <= least_chaos + 0.01]
    # A short text hardly tells one language from another: cp1252 unless another is clearly better.
    best = max(clean, key=lambda match: match.coherence + 0.15 * (match.encoding == "cp1252"))
    return best.encoding
