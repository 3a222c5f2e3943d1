//! Percent escapes, and which characters need none (RFC 3986).

use bytes::{BufMut as _, BytesMut};

use crate::path::Refused;

/// The byte that the escape at this place stands for.
pub fn escape(text: &[u8], at: usize) -> Result<u8, Refused> {
    let digit = |index: usize| {
        text.get(index)
            .and_then(|&byte| char::from(byte).to_digit(16))
    };
    match (digit(at + 1), digit(at + 2)) {
        (Some(high), Some(low)) => Ok((high * 16 + low) as u8),
        _ => Err(Refused(
            "a percent sign is not followed by two hexadecimal digits",
        )),
    }
}

/// RFC 3986 `unreserved`: these have no other spelling than themselves.
pub fn is_unreserved(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~')
}

/// RFC 3986 `pchar` without the percent sign.
pub fn is_path_character(byte: u8) -> bool {
    is_unreserved(byte)
        || matches!(
            byte,
            b'!' | b'$'
                | b'&'
                | b'\''
                | b'('
                | b')'
                | b'*'
                | b'+'
                | b','
                | b';'
                | b'='
                | b':'
                | b'@'
        )
}

/// Writes an escaped byte in its one spelling; some have no place in a path however they are spelled.
pub fn write_escaped(byte: u8, out: &mut BytesMut) -> Result<(), Refused> {
    const HEX: &[u8; 16] = b"0123456789ABCDEF";
    match byte {
        b'/' | b'\\' => Err(Refused("the path contains an escaped slash or backslash")),
        0..0x20 | 0x7f => Err(Refused("the path contains a control character")),
        byte if is_unreserved(byte) => {
            out.put_u8(byte);
            Ok(())
        }
        byte => {
            out.put_slice(&[
                b'%',
                HEX[usize::from(byte >> 4)],
                HEX[usize::from(byte & 15)],
            ]);
            Ok(())
        }
    }
}
