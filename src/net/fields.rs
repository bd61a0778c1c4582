//! The fields of a JSON object that a server sent: each has a kind and a bound, and what is wrong
//! is said with its name. Never guesses, never cuts short what has a meaning.

use std::fmt::Display;

use twinslot::json::{self, Object, Text, Value};

/// The longest name, in bytes: Mender's own limit for that of an artifact.
pub(crate) const NAME_BYTES: usize = 256;

/// The longest URL, in bytes: presigned ones are long.
pub(crate) const URL_BYTES: usize = 4096;

/// How many values a list may have.
const LIST_MAX: usize = 16;

/// How much of a server's own words goes into an error, in characters.
const SAID_CHARS: usize = 200;

/// An object whose fields are read; other fields do not matter.
#[derive(Clone, Copy)]
pub(crate) struct Fields<'a>(Object<'a>);

impl<'a> Fields<'a> {
    /// The object that `body` is.
    pub(crate) fn of(body: &'a [u8]) -> Result<Self, String> {
        let value = json::parse(body).map_err(|error| format!("no JSON: {error}"))?;
        value.to_object().map(Self).ok_or_else(|| "wanted a JSON object".to_owned())
    }

    /// The object that is the value of `key`.
    pub(crate) fn inside(self, key: &str) -> Result<Self, String> {
        let value = self.get(key).ok_or_else(|| missing(key))?;
        value.to_object().map(Self).ok_or_else(|| wrong(key, "an object"))
    }

    /// A text without control characters, not empty.
    pub(crate) fn word(self, key: &str, max_bytes: usize) -> Result<String, String> {
        word(key, self.get(key).ok_or_else(|| missing(key))?, max_bytes)
    }

    /// As [`Fields::word`], if there is one.
    pub(crate) fn word_if_any(self, key: &str, max_bytes: usize) -> Result<Option<String>, String> {
        self.get(key).map(|value| word(key, value, max_bytes)).transpose()
    }

    /// A text of any lines; other control characters in it are left out.
    pub(crate) fn prose(self, key: &str, max_bytes: usize) -> Result<Option<String>, String> {
        let Some(value) = self.get(key) else { return Ok(None) };
        let text = bounded(key, value.to_text().ok_or_else(|| wrong(key, "a string"))?, max_bytes)?;
        let shown = text.chars().filter(|char| *char == '\n' || !char.is_control());
        Ok(Some(shown.collect()).filter(|text: &String| !text.is_empty()))
    }

    /// One word, or a list of them; none if the key is not there.
    pub(crate) fn words(self, key: &str, max_bytes: usize) -> Result<Vec<String>, String> {
        let list = match self.get(key) {
            None => return Ok(Vec::new()),
            Some(Value::Array(list)) => list,
            Some(value) => return word(key, value, max_bytes).map(|word| vec![word]),
        };
        if list.iter().count() > LIST_MAX {
            return Err(wrong(key, format_args!("up to {LIST_MAX} values")));
        }
        list.iter().map(|value| word(key, value, max_bytes)).collect()
    }

    /// A whole number.
    pub(crate) fn number(self, key: &str) -> Result<Option<u64>, String> {
        let number = |value: Value<'_>| value.to_u64().ok_or_else(|| wrong(key, "a whole number"));
        self.get(key).map(number).transpose()
    }

    /// A SHA-256 digest in hexadecimal.
    pub(crate) fn digest(self, key: &str) -> Result<Option<[u8; 32]>, String> {
        let Some(text) = self.word_if_any(key, 64)? else { return Ok(None) };
        let digest = digest(&text).ok_or_else(|| wrong(key, "64 hexadecimal digits"))?;
        Ok(Some(digest))
    }

    /// `null` is as good as nothing.
    fn get(self, key: &str) -> Option<Value<'a>> {
        self.0.get(key).filter(|value| !value.is_null())
    }
}

fn missing(key: &str) -> String {
    format!("{key} is missing")
}

fn wrong(key: &str, wanted: impl Display) -> String {
    format!("{key}: wanted {wanted}")
}

fn word(key: &str, value: Value<'_>, max_bytes: usize) -> Result<String, String> {
    let text =
        value.to_text().filter(|text| !text.is_empty() && !text.chars().any(char::is_control));
    bounded(key, text.ok_or_else(|| wrong(key, "a text of one line"))?, max_bytes)
}

fn bounded(key: &str, text: Text<'_>, max_bytes: usize) -> Result<String, String> {
    match text.len_bytes() {
        bytes if bytes > max_bytes => {
            Err(format!("{key} has {bytes} bytes, at most {max_bytes} are allowed"))
        }
        _ => Ok(text.to_string()),
    }
}

fn digest(text: &str) -> Option<[u8; 32]> {
    let mut digest = [0; 32];
    let mut digits = text.chars().map(|char| char.to_digit(16).map(u8::try_from));
    for byte in &mut digest {
        let (high, low) = (digits.next()??.ok()?, digits.next()??.ok()?);
        *byte = high << 4 | low;
    }
    digits.next().is_none().then_some(digest)
}

/// What a server says of its refusal: `{"error": "..."}`, as far as it can be read.
pub(crate) fn said(body: &[u8]) -> String {
    let object = json::parse(body).ok().and_then(Value::to_object);
    let error = object.and_then(|object| object.get("error")).and_then(Value::to_text);
    let chars = error.into_iter().flat_map(Text::chars);
    chars.filter(|char| !char.is_control()).take(SAID_CHARS).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn word_of(body: &str) -> Result<String, String> {
        Fields::of(body.as_bytes())?.word("a", 4)
    }

    #[test]
    fn a_field_that_is_wrong_is_named_with_what_was_wanted() {
        for (body, said) in [
            (r#"{"b":"x"}"#, "a is missing"),
            (r#"{"a":null}"#, "a is missing"),
            (r#"{"a":1}"#, "a: wanted a text of one line"),
            (r#"{"a":""}"#, "a: wanted a text of one line"),
            (r#"{"a":"x\ny"}"#, "a: wanted a text of one line"),
            (r#"{"a":"\u001b[2J"}"#, "a: wanted a text of one line"),
            (r#"{"a":"12345"}"#, "a has 5 bytes, at most 4 are allowed"),
            (r#"["a"]"#, "wanted a JSON object"),
            (
                r#"{"a":"x","a":"y"}"#,
                "no JSON: expected a key that this object does not have \
                yet at byte 9",
            ),
            (r#"{"a":"x""#, "no JSON: expected a comma or } at byte 8"),
            ("", "no JSON: expected a value at byte 0"),
        ] {
            assert_eq!(word_of(body), Err(said.to_owned()), "{body}");
        }
        assert_eq!(word_of(r#"{"a":"1234","b":[{}]}"#), Ok("1234".into()));
    }

    #[test]
    fn a_list_may_be_one_word_and_is_bounded() {
        let words = |body: &str| Fields::of(body.as_bytes()).unwrap().words("a", 9);
        assert_eq!(words("{}"), Ok(vec![]));
        assert_eq!(words(r#"{"a":"x"}"#), Ok(vec!["x".into()]));
        assert_eq!(words(r#"{"a":["x","y"]}"#), Ok(vec!["x".into(), "y".into()]));
        assert_eq!(words(r#"{"a":["x",2]}"#), Err("a: wanted a text of one line".into()));
        let many = format!(r#"{{"a":[{}"x"]}}"#, r#""x","#.repeat(LIST_MAX));
        assert_eq!(words(&many), Err("a: wanted up to 16 values".into()));
    }

    #[test]
    fn a_digest_is_64_digits() {
        let digest = |text: &str| {
            let body = format!(r#"{{"a":"{text}"}}"#);
            Fields::of(body.as_bytes()).unwrap().digest("a")
        };
        assert_eq!(digest(&"0aF".repeat(22)[..64]).unwrap().unwrap()[..2], [0x0a, 0xf0]);
        for text in ["00", &"0".repeat(63), &"g".repeat(64)] {
            assert_eq!(digest(text), Err("a: wanted 64 hexadecimal digits".into()), "{text}");
        }
        assert!(digest(&"0".repeat(65)).is_err());
    }

    #[test]
    fn prose_keeps_its_lines_and_cannot_command_a_terminal() {
        let fields = Fields::of(br#"{"a":"one\n\u001b[2Jtwo","b":"","c":7}"#).unwrap();
        assert_eq!(fields.prose("a", 99), Ok(Some("one\n[2Jtwo".into())));
        assert_eq!(fields.prose("b", 99), Ok(None));
        assert_eq!(fields.prose("c", 99), Err("c: wanted a string".into()));
    }

    #[test]
    fn what_a_server_says_of_its_refusal_is_one_bounded_line() {
        assert_eq!(said(br#"{"error":"no \n such device","request_id":"1"}"#), "no  such device");
        assert_eq!(said(b"<html>"), "");
        assert_eq!(said(br#"{"error":7}"#), "");
        let long = format!(r#"{{"error":"{}"}}"#, "ä".repeat(1000));
        assert_eq!(said(long.as_bytes()).chars().count(), SAID_CHARS);
    }
}
