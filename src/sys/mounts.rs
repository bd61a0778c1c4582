//! The kernel's table of mounts, as text: `proc_pid_mountinfo(5)`. Never reads a file itself.

use super::number::DeviceNumber;

/// One mount.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Mount<'a> {
    /// Of the file system; anonymous where no one device holds it.
    pub(crate) number: DeviceNumber,
    /// Where it is mounted, as the reader of the table sees it.
    pub(crate) point: String,
    /// The file system's type: `ext4`.
    pub(crate) kind: &'a str,
    /// What was mounted; a device's path, or any word.
    pub(crate) source: String,
    /// The file system's own options, still escaped.
    pub(crate) options: &'a str,
}

/// The mounts in `mountinfo`, oldest first; a line that is none is skipped.
pub(crate) fn parse(mountinfo: &str) -> impl DoubleEndedIterator<Item = Mount<'_>> {
    mountinfo.lines().filter_map(mount)
}

/// `36 35 98:0 /root /point rw,noatime shared:1 - ext3 /dev/sda1 rw,errors=continue`
fn mount(line: &str) -> Option<Mount<'_>> {
    let (own, of_type) = line.split_once(" - ")?;
    let mut own = own.split(' ').skip(2);
    let number = own.next()?.parse().ok()?;
    let point = unescape(own.nth(1)?);
    let mut of_type = of_type.splitn(3, ' ');
    let kind = of_type.next()?;
    let source = unescape(of_type.next()?);
    Some(Mount { number, point, kind, source, options: of_type.next().unwrap_or_default() })
}

impl Mount<'_> {
    /// The directories under an overlay, topmost first.
    ///
    /// `lowerdir=a:b` with `:` in a name as `\:`, or since Linux 6.8 one `lowerdir+=a` each
    /// (`Documentation/filesystems/overlayfs.rst`); an empty name only parts off data layers.
    pub(crate) fn lower_directories(&self) -> Vec<String> {
        if self.kind != "overlay" {
            return Vec::new();
        }
        let mut directories = Vec::new();
        for option in self.options.split(',') {
            if let Some(one) = option.strip_prefix("lowerdir+=") {
                directories.push(unescape(one));
            } else if let Some(list) = option.strip_prefix("lowerdir=") {
                directories.extend(split_list(&unescape(list)));
            }
        }
        directories
    }
}

/// Splits at every `:` that no backslash hides, and takes the backslashes away.
fn split_list(list: &str) -> Vec<String> {
    let mut names = vec![String::new()];
    let mut chars = list.chars();
    while let Some(c) = chars.next() {
        match (c, names.last_mut()) {
            (':', _) => names.push(String::new()),
            ('\\', Some(name)) => name.extend(chars.next()),
            (c, Some(name)) => name.push(c),
            (_, None) => {}
        }
    }
    names.retain(|name| !name.is_empty());
    names
}

/// Puts back the bytes the kernel writes as a backslash and three octal digits: space, tab,
/// line feed, backslash, and in options the comma.
pub(crate) fn unescape(field: &str) -> String {
    let mut bytes = Vec::with_capacity(field.len());
    let mut rest = field.as_bytes();
    while let Some((&first, after)) = rest.split_first() {
        match octal(rest) {
            Some(byte) => {
                bytes.push(byte);
                rest = after.get(3..).unwrap_or_default();
            }
            None => {
                bytes.push(first);
                rest = after;
            }
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

fn octal(field: &[u8]) -> Option<u8> {
    let digits = field.strip_prefix(b"\\")?.get(..3)?;
    if !digits.iter().all(|digit| (b'0'..=b'7').contains(digit)) {
        return None;
    }
    u8::from_str_radix(std::str::from_utf8(digits).ok()?, 8).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn overlay(options: &str) -> Vec<String> {
        let line = format!("1 0 0:31 / / rw - overlay overlay {options}");
        parse(&line).next().unwrap().lower_directories()
    }

    #[test]
    fn a_line_with_and_without_optional_fields_is_read() {
        let text = "36 35 179:2 / /data\\040a rw,noatime shared:1 master:2 - ext4 /dev/p\\0402 rw\n\
                    22 27 0:21 / /proc rw - proc proc rw\nbroken\n";
        let mounts: Vec<_> = parse(text).collect();
        assert_eq!(mounts.len(), 2);
        assert_eq!(mounts[0].number, DeviceNumber { major: 179, minor: 2 });
        assert_eq!(mounts[0].point, "/data a");
        assert_eq!((mounts[0].kind, &*mounts[0].source), ("ext4", "/dev/p 2"));
        assert_eq!(mounts[1].point, "/proc");
    }

    #[test]
    fn every_way_to_write_lower_directories_is_read() {
        assert_eq!(overlay("rw,lowerdir=/ro,upperdir=/u,workdir=/w"), ["/ro"]);
        assert_eq!(overlay("rw,lowerdir=/a:/b::/data"), ["/a", "/b", "/data"]);
        assert_eq!(overlay("rw,lowerdir=/a\\134:1:/b\\0402\\0543"), ["/a:1", "/b 2,3"]);
        assert_eq!(overlay("rw,lowerdir+=/a:1,lowerdir+=/b,datadir+=/d"), ["/a:1", "/b"]);
        assert!(overlay("rw").is_empty());
    }

    #[test]
    fn only_three_octal_digits_are_an_escape() {
        assert_eq!(unescape("a\\040b\\134c"), "a b\\c");
        assert_eq!(unescape("\\04"), "\\04");
        assert_eq!(unescape("\\089\\777x"), "\\089\\777x");
        assert_eq!(unescape("\\303\\244"), "ä");
        assert_eq!(unescape("\\040"), " ");
    }
}
