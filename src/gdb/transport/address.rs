//! What `--listen` takes.

use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;

/// Where to listen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Address {
    /// A TCP port; port 0 is any free one.
    Tcp {
        /// Name or number; an IPv6 number without brackets.
        host: String,
        /// The port.
        port: u16,
    },
    /// A unix socket, which only its owner may connect to.
    Unix(PathBuf),
    /// One client, on standard input and output.
    Stdio,
}

/// Why a text is no address.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is no address to listen on, such as 127.0.0.1:1234 or unix:/tmp/guest.sock")]
pub struct ParseAddressError(String);

impl FromStr for Address {
    type Err = ParseAddressError;

    /// Reads `HOST:PORT`, `[IPV6]:PORT`, `:PORT` (on the loopback address), `unix:PATH` or `stdio`.
    fn from_str(text: &str) -> Result<Address, ParseAddressError> {
        let bad = || ParseAddressError(text.to_owned());
        if text == "stdio" {
            return Ok(Address::Stdio);
        }
        if let Some(path) = text.strip_prefix("unix:") {
            return if path.is_empty() { Err(bad()) } else { Ok(Address::Unix(path.into())) };
        }
        let (host, port) = text.rsplit_once(':').ok_or_else(bad)?;
        let digits = !port.is_empty() && port.bytes().all(|byte| byte.is_ascii_digit());
        let port = port.parse().ok().filter(|_| digits).ok_or_else(bad)?;
        let bracketed = host.strip_prefix('[').and_then(|host| host.strip_suffix(']'));
        let host = match bracketed {
            Some(host) if host.contains(':') => host,
            None if host.is_empty() => "127.0.0.1",
            None if !host.contains([':', '[', ']', '/', ' ']) => host,
            _ => return Err(bad()),
        };
        Ok(Address::Tcp { host: host.to_owned(), port })
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Address::Tcp { host, port } if host.contains(':') => write!(f, "[{host}]:{port}"),
            Address::Tcp { host, port } => write!(f, "{host}:{port}"),
            Address::Unix(path) => write!(f, "unix:{}", path.display()),
            Address::Stdio => f.write_str("stdio"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_print_as_they_are_written() {
        for text in ["127.0.0.1:1234", "localhost:0", "[::1]:1234", "unix:/tmp/a b", "stdio"] {
            assert_eq!(text.parse::<Address>().unwrap().to_string(), text);
        }
        assert_eq!(":1234".parse::<Address>().unwrap().to_string(), "127.0.0.1:1234");
    }

    #[test]
    fn what_is_no_address_is_refused_by_name() {
        for bad in ["", "1234", "host", "host:", "host:x", "host:65536", "host:+1", "::1:5"] {
            let error = bad.parse::<Address>().unwrap_err().to_string();
            assert!(error.contains(&format!("`{bad}`")), "{error}");
        }
        for bad in ["unix:", "[::1:5", "a b:1", "[host]:1", "/dev/ttyS0:1"] {
            assert!(bad.parse::<Address>().is_err(), "{bad}");
        }
    }
}
