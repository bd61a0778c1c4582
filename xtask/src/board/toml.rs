//! The part of TOML that board.toml uses: tables, arrays of tables, strings, whole numbers and
//! lists of strings. What it does not know is an error with its line, never skipped.

use anyhow::{Context, Result, bail};

/// A value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Value {
    Text(String),
    Number(u64),
    List(Vec<String>),
}

/// A table and what stands below its head; the first one has no name.
#[derive(Debug)]
pub(crate) struct Table {
    pub(crate) name: String,
    /// Where its head is.
    pub(crate) line: usize,
    entries: Vec<(String, Value)>,
}

/// All tables in their order. A file cannot say the same table twice, except as `[[name]]`.
pub(crate) fn parse(text: &str) -> Result<Vec<Table>> {
    let mut tables = vec![Table { name: String::new(), line: 1, entries: Vec::new() }];
    let mut lines = text.lines().enumerate();
    while let Some((index, line)) = lines.next() {
        let line = uncommented(line).trim().to_owned();
        let number = index + 1;
        if line.is_empty() {
            continue;
        }
        let context = || format!("line {number}");
        if let Some(head) = line.strip_prefix('[') {
            let table = table(head, number, &tables).with_context(context)?;
            tables.push(table);
            continue;
        }
        let mut entry = line;
        while entry.contains('[') && !entry.ends_with(']') {
            let (_, more) = lines.next().with_context(|| format!("line {number}: no `]`"))?;
            entry = entry + " " + uncommented(more).trim();
        }
        let (key, value) =
            entry.split_once('=').context("wanted KEY = VALUE").with_context(context)?;
        let value = value_of(value.trim()).with_context(context)?;
        let table = tables.last_mut().context("no table")?;
        table.insert(key.trim(), value).with_context(context)?;
    }
    Ok(tables)
}

/// The line without a comment. No string here holds a `#`.
fn uncommented(line: &str) -> &str {
    line.split_once('#').map_or(line, |(before, _)| before)
}

fn table(head: &str, line: usize, known: &[Table]) -> Result<Table> {
    let many = head.strip_prefix('[').and_then(|head| head.strip_suffix("]]"));
    let name = many.or_else(|| head.strip_suffix(']')).context("wanted [NAME] or [[NAME]]")?.trim();
    if many.is_none() && known.iter().any(|table| table.name == name) {
        bail!("a second [{name}]");
    }
    Ok(Table { name: name.to_owned(), line, entries: Vec::new() })
}

fn value_of(text: &str) -> Result<Value> {
    if let Some(list) = text.strip_prefix('[').and_then(|text| text.strip_suffix(']')) {
        return Ok(Value::List(list_of(list)?));
    }
    if text.starts_with('"') {
        return Ok(Value::Text(quoted(text)?));
    }
    let number = text.parse().with_context(|| format!("wanted a value, found {text}"))?;
    Ok(Value::Number(number))
}

/// Strings with commas between them, and maybe one behind the last.
fn list_of(text: &str) -> Result<Vec<String>> {
    let mut words = Vec::new();
    let mut rest = text.trim();
    while !rest.is_empty() {
        let end = rest.get(1..).and_then(|inner| inner.find('"')).map_or(rest.len(), |at| at + 2);
        let (word, after) = rest.split_at(end);
        words.push(quoted(word)?);
        let after = after.trim();
        rest = after.strip_prefix(',').unwrap_or(after).trim();
        if rest == after && !rest.is_empty() {
            bail!("wanted a comma before {rest}");
        }
    }
    Ok(words)
}

fn quoted(text: &str) -> Result<String> {
    let inner = text.strip_prefix('"').and_then(|text| text.strip_suffix('"'));
    let inner = inner.filter(|inner| !inner.contains(['"', '\\']));
    Ok(inner.with_context(|| format!("wanted a plain string in quotes, found {text}"))?.to_owned())
}

impl Table {
    fn insert(&mut self, key: &str, value: Value) -> Result<()> {
        if self.entries.iter().any(|(known, _)| known == key) {
            bail!("a second {key}");
        }
        self.entries.push((key.to_owned(), value));
        Ok(())
    }

    fn take(&mut self, key: &str) -> Option<Value> {
        let at = self.entries.iter().position(|(known, _)| known == key)?;
        Some(self.entries.remove(at).1)
    }

    fn missing(&self, key: &str, wanted: &str) -> anyhow::Error {
        anyhow::anyhow!("[{}] of line {}: {key}: wanted {wanted}", self.name, self.line)
    }

    /// Takes a string out.
    pub(crate) fn text(&mut self, key: &str) -> Result<String> {
        match self.take(key) {
            Some(Value::Text(text)) => Ok(text),
            _ => Err(self.missing(key, "a string")),
        }
    }

    /// Takes a string out that need not be there.
    pub(crate) fn optional_text(&mut self, key: &str) -> Result<Option<String>> {
        match self.take(key) {
            None => Ok(None),
            Some(Value::Text(text)) => Ok(Some(text)),
            Some(_) => Err(self.missing(key, "a string")),
        }
    }

    /// Takes a whole number out.
    pub(crate) fn number(&mut self, key: &str) -> Result<u64> {
        match self.take(key) {
            Some(Value::Number(number)) => Ok(number),
            _ => Err(self.missing(key, "a whole number")),
        }
    }

    /// Takes a list of strings out.
    pub(crate) fn list(&mut self, key: &str) -> Result<Vec<String>> {
        match self.take(key) {
            Some(Value::List(list)) => Ok(list),
            _ => Err(self.missing(key, "a list of strings")),
        }
    }

    /// Takes a size out: `"10.5MiB"`.
    pub(crate) fn bytes(&mut self, key: &str) -> Result<u64> {
        let text = self.text(key)?;
        bytes(&text).with_context(|| self.missing(key, "a size"))
    }

    /// Whatever has not been taken out is no key of this table.
    pub(crate) fn finish(self) -> Result<()> {
        match self.entries.first() {
            Some((key, _)) => bail!("[{}] of line {}: unknown key {key}", self.name, self.line),
            None => Ok(()),
        }
    }
}

/// A size with its unit, as a whole number of bytes.
pub(crate) fn bytes(text: &str) -> Result<u64> {
    let wanted = || format!("wanted a size as 512B, 32KiB or 10.5MiB, found {text:?}");
    let units = [("KiB", 1 << 10), ("MiB", 1 << 20), ("GiB", 1 << 30), ("B", 1)];
    let unit = units.iter().find_map(|(name, unit)| Some((text.strip_suffix(name)?, *unit)));
    let (number, unit): (&str, u64) = unit.with_context(wanted)?;
    let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
    let digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    if whole.is_empty() || !digits(whole) || !digits(fraction) || fraction.len() > 3 {
        bail!(wanted());
    }
    let scale = 10_u64.pow(u32::try_from(fraction.len())?);
    let scaled: u64 = format!("{whole}{fraction}").parse().with_context(wanted)?;
    let bytes = scaled.checked_mul(unit).with_context(wanted)?;
    if bytes % scale != 0 {
        bail!("{text} is no whole number of bytes");
    }
    Ok(bytes / scale)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_whole_numbers_of_bytes() {
        assert_eq!(bytes("512B").unwrap(), 512);
        assert_eq!(bytes("10.5MiB").unwrap(), 11_010_048);
        assert_eq!(bytes("4GiB").unwrap(), 1 << 32);
        for text in ["", "4", "MiB", "1.5B", "-1KiB", "1.KB", "1 KiB", "99999999999GiB"] {
            assert!(bytes(text).is_err(), "{text}");
        }
    }

    #[test]
    fn tables_strings_numbers_and_lists_are_read() {
        let text = "a = \"x\" # one\n[t]\nb = 7\nc = [\n  \"p,r\",\n  \"q\",\n]\n[[u]]\n[[u]]\n";
        let mut tables = parse(text).unwrap();
        assert_eq!(tables.len(), 4);
        assert_eq!(tables[0].text("a").unwrap(), "x");
        assert_eq!(tables[1].number("b").unwrap(), 7);
        assert_eq!(tables[1].list("c").unwrap(), ["p,r", "q"]);
        assert_eq!((tables[3].name.as_str(), tables[3].line), ("u", 9));
    }

    #[test]
    fn what_is_not_known_is_an_error_with_its_line() {
        let said = |text: &str| format!("{:#}", parse(text).unwrap_err());
        assert_eq!(
            said("\na = 1.5"),
            "line 2: wanted a value, found 1.5: invalid digit found in string"
        );
        assert_eq!(
            said("a = 'x'"),
            "line 1: wanted a value, found 'x': invalid digit found in string"
        );
        assert_eq!(said("a = 1\na = 2"), "line 2: a second a");
        assert_eq!(said("[t]\n[t]"), "line 2: a second [t]");
        assert_eq!(said("a"), "line 1: wanted KEY = VALUE");
        assert_eq!(said("a = [\"x\""), "line 1: no `]`");
        assert_eq!(said("a = [\"x\" \"y\"]"), "line 1: wanted a comma before \"y\"");
        assert!(parse("a = [\"x\", y]").is_err());
    }
}
