//! The text of a copy: entries ended by NUL, read as U-Boot's import reads them. Never judges
//! whether the bytes are to be trusted; the CRC has been checked before.

/// One entry of the text, as U-Boot's `himport_r` takes it (U-Boot lib/hashtable.c).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Entry<'a> {
    /// `name=value`, value not empty: the variable is set, over an earlier one of that name.
    Set(&'a [u8], &'a [u8]),
    /// `name` or `name=`: an earlier variable of that name is deleted.
    Unset(&'a [u8]),
    /// `# …`: skipped.
    Comment,
    /// `=value`: U-Boot gives the whole copy up and falls back to its compiled-in defaults.
    Nameless,
}

impl<'a> Entry<'a> {
    /// Reads one entry without its NUL. Blanks before the name do not belong to it.
    fn parse(text: &'a [u8]) -> Self {
        let blanks = text.iter().take_while(|byte| is_blank(**byte)).count();
        let text = &text[blanks..];
        if text.first() == Some(&b'#') {
            return Self::Comment;
        }
        let Some(equals) = text.iter().position(|byte| *byte == b'=') else {
            return Self::Unset(text);
        };
        match (&text[..equals], &text[equals + 1..]) {
            (name, []) => Self::Unset(name),
            ([], _) => Self::Nameless,
            (name, value) => Self::Set(name, value),
        }
    }

    /// Whether this entry decides what `name` is.
    fn concerns(&self, name: &[u8]) -> bool {
        match self {
            Self::Set(own, _) | Self::Unset(own) => *own == name,
            Self::Comment | Self::Nameless => false,
        }
    }
}

/// A space or a tab: `isblank` of U-Boot.
pub(crate) fn is_blank(byte: u8) -> bool {
    byte == b' ' || byte == b'\t'
}

/// The entries of a copy's data, in order.
///
/// Ends before the first empty entry, the second of the two NULs; what follows is not text. Two
/// habits of U-Boot's loop are kept: an empty entry at the very start does not end the text, and
/// data without any closing NUL ends with its last byte (U-Boot adds one).
#[derive(Clone, Debug)]
pub(crate) struct Entries<'a> {
    rest: &'a [u8],
    started: bool,
}

impl<'a> Entries<'a> {
    pub(crate) fn new(data: &'a [u8]) -> Self {
        Self { rest: data, started: false }
    }
}

impl<'a> Iterator for Entries<'a> {
    type Item = Entry<'a>;

    fn next(&mut self) -> Option<Self::Item> {
        let first = self.rest.first()?;
        if self.started && *first == 0 {
            return None;
        }
        self.started = true;
        let end = self.rest.iter().position(|byte| *byte == 0);
        let end = end.unwrap_or(self.rest.len());
        let entry = Entry::parse(&self.rest[..end]);
        self.rest = self.rest.get(end + 1..).unwrap_or(&[]);
        Some(entry)
    }
}

/// The variables of a copy in their order on the medium, each once, as `(name, value)`.
///
/// Names and values are bytes: nothing on the medium promises UTF-8. A value is what stands
/// between `=` and NUL, as both `fw_printenv` print it. U-Boot takes a backslash there for an
/// escape (`\;` reads as `;`) and doubles each when it saves.
///
/// Of two entries with one name the last wins, as in U-Boot and libubootenv; u-boot-tools'
/// `fw_printenv` shows the first. An entry without a value deletes the earlier one and is not
/// listed; comments are not listed. Looks ahead for later entries, so it takes quadratic time in
/// the number of entries.
#[derive(Clone, Debug)]
pub struct Vars<'a> {
    entries: Entries<'a>,
}

impl<'a> Vars<'a> {
    pub(crate) fn new(data: &'a [u8]) -> Self {
        Self { entries: Entries::new(data) }
    }
}

impl<'a> Iterator for Vars<'a> {
    type Item = (&'a [u8], &'a [u8]);

    fn next(&mut self) -> Option<Self::Item> {
        while let Some(entry) = self.entries.next() {
            let Entry::Set(name, value) = entry else {
                continue;
            };
            if !self.entries.clone().any(|later| later.concerns(name)) {
                return Some((name, value));
            }
        }
        None
    }
}

/// The value of `name` in `data`, by the same rules as [`Vars`].
pub(crate) fn find<'a>(data: &'a [u8], name: &[u8]) -> Option<&'a [u8]> {
    let last = Entries::new(data).filter(|entry| entry.concerns(name)).last();
    match last? {
        Entry::Set(_, value) => Some(value),
        Entry::Unset(_) | Entry::Comment | Entry::Nameless => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::string::String;
    use std::vec::Vec;

    /// What `data` holds, as `name=value,…`.
    fn listed(data: &[u8]) -> String {
        let lines: Vec<String> = Vars::new(data)
            .map(|(name, value)| std::format!("{}={}", name.escape_ascii(), value.escape_ascii()))
            .collect();
        lines.join(",")
    }

    #[test]
    fn variables_come_in_the_order_of_the_medium() {
        assert_eq!(listed(b"b=2\0a=1\0c=x=y\0\0"), "b=2,a=1,c=x=y");
    }

    #[test]
    fn what_follows_the_two_nuls_is_not_text() {
        assert_eq!(listed(b"a=1\0\0b=2\0\xff\xff"), "a=1");
        assert_eq!(listed(b"a=1\0\0"), "a=1");
    }

    #[test]
    fn text_that_reaches_the_last_byte_is_read_as_u_boot_reads_it() {
        assert_eq!(listed(b"a=1\0b=2\0"), "a=1,b=2");
        assert_eq!(listed(b"a=1\0b=2"), "a=1,b=2");
        assert_eq!(listed(b"a=1\0b="), "a=1");
        assert_eq!(listed(b"a=1\0b"), "a=1");
    }

    #[test]
    fn an_empty_environment_holds_nothing() {
        for data in [&b""[..], b"\0", b"\0\0", b"\0\0a=1\0\0"] {
            assert_eq!(listed(data), "", "{}", data.escape_ascii());
        }
    }

    #[test]
    fn one_nul_at_the_start_does_not_end_the_text() {
        assert_eq!(listed(b"\0a=1\0\0"), "a=1");
    }

    #[test]
    fn the_last_of_two_entries_with_one_name_wins() {
        assert_eq!(listed(b"a=1\0b=2\0a=3\0\0"), "b=2,a=3");
        assert_eq!(find(b"a=1\0b=2\0a=3\0\0", b"a"), Some(&b"3"[..]));
    }

    #[test]
    fn an_entry_without_a_value_deletes_the_earlier_one() {
        for data in [&b"a=1\0b=2\0a\0\0"[..], b"a=1\0b=2\0a=\0\0"] {
            assert_eq!(listed(data), "b=2");
            assert_eq!(find(data, b"a"), None);
        }
        assert_eq!(listed(b"a\0a=1\0\0"), "a=1");
        assert_eq!(listed(b"a=1\0=\0\0"), "a=1");
    }

    #[test]
    fn comments_and_blanks_before_a_name_are_skipped() {
        assert_eq!(listed(b"#a=1\0 \t#b=1\0 \tc= 1\0 \0d=1\0\0"), "c= 1,d=1");
        assert_eq!(find(b" a=1\0\0", b"a"), Some(&b"1"[..]));
        assert_eq!(find(b" a=1\0\0", b" a"), None);
        assert_eq!(find(b"#a=1\0\0", b"#a"), None);
    }

    #[test]
    fn a_name_is_found_only_whole() {
        let data = b"boot=1\0bootcount=2\0\0";
        assert_eq!(find(data, b"boot"), Some(&b"1"[..]));
        assert_eq!(find(data, b"bootcount"), Some(&b"2"[..]));
        assert_eq!(find(data, b"bootcoun"), None);
        assert_eq!(find(data, b"bootcount2"), None);
        assert_eq!(find(data, b""), None);
    }

    #[test]
    fn values_may_be_any_bytes_but_nul() {
        assert_eq!(find(b"a=\xff\\;\n\0\0", b"a"), Some(&b"\xff\\;\n"[..]));
    }
}
