//! URLs as text: taken apart, put together, escaped. Never opens one, and leaves it to whoever
//! does to say what is wrong with it.

use std::fmt::{self, Display, Write as _};

/// A URL's parts (RFC 3986 section 3); what is missing is empty.
#[derive(Clone, Copy)]
struct Parts<'u> {
    scheme: &'u str,
    authority: &'u str,
    path: &'u str,
    /// Query and fragment, with their marks.
    tail: &'u str,
}

fn parts(url: &str) -> Parts<'_> {
    let (scheme, rest) = url.split_once("://").unwrap_or(("", url));
    let (authority, rest) = rest.split_at(rest.find(['/', '?', '#']).unwrap_or(rest.len()));
    let (path, tail) = rest.split_at(rest.find(['?', '#']).unwrap_or(rest.len()));
    Parts { scheme, authority, path, tail }
}

/// Who answers there, for a message: without the name and password that may stand before it.
pub(crate) fn host(url: &str) -> String {
    let authority = parts(url).authority;
    authority.rsplit('@').next().unwrap_or_default().to_owned()
}

/// Whether the URL's path ends in `.json`: it names a file, and no API.
pub(crate) fn is_file(url: &str) -> bool {
    parts(url).path.ends_with(".json")
}

/// The file beside that of `url` whose name has `suffix` at its end.
pub(crate) fn beside(url: &str, suffix: &str) -> String {
    let Parts { tail, .. } = parts(url);
    let (file, tail) = url.split_at(url.len() - tail.len());
    format!("{file}{suffix}{tail}")
}

/// What `reference` means where `base` says it (RFC 3986 section 5.2).
pub(crate) fn join(base: &str, reference: &str) -> String {
    let Parts { scheme, authority, path, .. } = parts(base);
    if has_scheme(reference) {
        return reference.to_owned();
    }
    if reference.starts_with("//") {
        return format!("{scheme}:{reference}");
    }
    let (name, tail) = reference.split_at(reference.find(['?', '#']).unwrap_or(reference.len()));
    let path = if name.starts_with('/') {
        without_dots(name)
    } else if name.is_empty() {
        path.to_owned()
    } else {
        let directory = path.rfind('/').map_or("/", |end| &path[..=end]);
        without_dots(&format!("{directory}{name}"))
    };
    format!("{scheme}://{authority}{path}{tail}")
}

fn has_scheme(reference: &str) -> bool {
    let is_scheme = |scheme: &str| {
        let mut chars = scheme.chars();
        chars.next().is_some_and(|first| first.is_ascii_alphabetic())
            && chars.all(|char| char.is_ascii_alphanumeric() || "+-.".contains(char))
    };
    reference.split_once(':').is_some_and(|(scheme, _)| is_scheme(scheme))
}

/// RFC 3986 section 5.2.4, of a path that begins with a slash.
fn without_dots(path: &str) -> String {
    let mut kept: Vec<&str> = Vec::new();
    let mut segments = path.split('/').skip(1).peekable();
    while let Some(segment) = segments.next() {
        let is_dots = matches!(segment, "." | "..");
        if segment == ".." {
            kept.pop();
        }
        if !is_dots {
            kept.push(segment);
        } else if segments.peek().is_none() {
            kept.push("");
        }
    }
    format!("/{}", kept.join("/"))
}

/// Prints a text so that it stands for itself anywhere in a URL (RFC 3986 section 2.1).
pub(crate) struct Encoded<'t>(pub(crate) &'t str);

impl Display for Encoded<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.bytes().try_for_each(|byte| match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => {
                f.write_char(char::from(byte))
            }
            _ => write!(f, "%{byte:02X}"),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn references_mean_what_rfc_3986_says_they_mean() {
        for (reference, target) in [
            ("g:h", "g:h"),
            ("g", "https://a/b/c/g"),
            ("./g", "https://a/b/c/g"),
            ("g/", "https://a/b/c/g/"),
            ("/g", "https://a/g"),
            ("//g", "https://g"),
            ("g?y", "https://a/b/c/g?y"),
            ("g#s", "https://a/b/c/g#s"),
            ("", "https://a/b/c/d;p"),
            (".", "https://a/b/c/"),
            ("..", "https://a/b/"),
            ("../g", "https://a/b/g"),
            ("../../../g", "https://a/g"),
            ("/./g", "https://a/g"),
            ("g.", "https://a/b/c/g."),
            ("./g/.", "https://a/b/c/g/"),
            ("g?y/../x", "https://a/b/c/g?y/../x"),
            ("x:1/y", "x:1/y"),
            ("./1:2", "https://a/b/c/1:2"),
            ("1:2", "https://a/b/c/1:2"),
        ] {
            assert_eq!(join("https://a/b/c/d;p?q", reference), target, "{reference}");
        }
        assert_eq!(join("https://a", "g"), "https://a/g");
    }

    #[test]
    fn a_channel_is_told_from_an_api_by_the_path_alone() {
        for (url, is) in [
            ("https://a/stable.json", true),
            ("https://a/stable.json?token=1", true),
            ("https://a/api?file=stable.json", false),
            ("https://a.json", false),
            ("https://hosted.mender.io", false),
            ("", false),
        ] {
            assert_eq!(is_file(url), is, "{url}");
        }
        let signature = beside("https://a/c.json?t=1#x", ".sig");
        assert_eq!(signature, "https://a/c.json.sig?t=1#x");
        assert_eq!(beside("https://a/c.json", ".sig"), "https://a/c.json.sig");
    }

    #[test]
    fn a_message_names_the_host_and_no_password() {
        assert_eq!(host("https://me:secret@a.example:8443/x@y"), "a.example:8443");
        assert_eq!(host("nonsense"), "nonsense");
    }

    #[test]
    fn a_text_stands_for_itself_in_a_url() {
        assert_eq!(Encoded("release-1.0_~").to_string(), "release-1.0_~");
        assert_eq!(Encoded("a b&c=ä/%").to_string(), "a%20b%26c%3D%C3%A4%2F%25");
    }
}
