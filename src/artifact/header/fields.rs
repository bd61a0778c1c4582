//! The fields of a JSON object, taken by name and kind. `null` is the same as no field, as it is
//! for the Go writer.

use super::{Error, Excerpt, WORD_MAX_BYTES};
use crate::artifact::compat::DEVICE_TYPE;
use crate::json::{self, Array, Object, Text, Value};

/// An object and the member of the header that it is in.
#[derive(Clone, Copy)]
pub(super) struct Fields<'b> {
    what: &'static str,
    object: Object<'b>,
}

impl<'b> Fields<'b> {
    /// The object that `text` is.
    pub(super) fn parse(what: &'static str, text: &'b [u8]) -> Result<Self, Error> {
        let value = json::parse(text).map_err(|error| Error::Json { what, error })?;
        let fault = json::Error { at: 0, expected: "an object" };
        let object = value.to_object().ok_or(Error::Json { what, error: fault })?;
        Ok(Self { what, object })
    }

    pub(super) fn object(&self) -> Object<'b> {
        self.object
    }

    pub(super) fn fault(&self, key: &'static str, expected: &'static str) -> Error {
        Error::Value { what: self.what, key, expected }
    }

    /// Refuses all keys but `known`.
    pub(super) fn only(&self, known: &[&str]) -> Result<(), Error> {
        let is_known = |key: &Text<'_>| known.iter().any(|known| *key == **known);
        match self.object.iter().find(|(key, _)| !is_known(key)) {
            Some((key, _)) => Err(Error::Key { what: self.what, key: Excerpt::of(key) }),
            None => Ok(()),
        }
    }

    fn get(&self, key: &str) -> Option<Value<'b>> {
        self.object.get(key).filter(|value| !value.is_null())
    }

    /// An object that must be there.
    pub(super) fn required(&self, key: &'static str) -> Result<Self, Error> {
        let object = self.get(key).and_then(Value::to_object);
        let object = object.ok_or_else(|| self.fault(key, "an object"))?;
        Ok(Self { what: self.what, object })
    }

    /// The object in an array of just one.
    pub(super) fn one(&self, key: &'static str) -> Result<Self, Error> {
        let fault = || self.fault(key, "a list of one object");
        let array = self.get(key).and_then(Value::to_array).ok_or_else(fault)?;
        let mut objects = array.iter();
        let object = objects.next().and_then(Value::to_object).ok_or_else(fault)?;
        if objects.next().is_some() {
            return Err(fault());
        }
        Ok(Self { what: self.what, object })
    }

    /// A word.
    pub(super) fn word(&self, key: &'static str) -> Result<Option<Text<'b>>, Error> {
        let Some(value) = self.get(key) else { return Ok(None) };
        let word = word(value).ok_or_else(|| self.fault(key, WORD))?;
        Ok(Some(word))
    }

    /// A list of words, one at least.
    pub(super) fn list(&self, key: &'static str) -> Result<Option<Array<'b>>, Error> {
        let Some(value) = self.get(key) else { return Ok(None) };
        let list = list(value).filter(|list| list.iter().next().is_some());
        list.map(Some).ok_or_else(|| self.fault(key, "a list of one or more words"))
    }

    /// A list of words, or an empty one.
    pub(super) fn patterns(&self, key: &'static str) -> Result<Option<Array<'b>>, Error> {
        let Some(value) = self.get(key) else { return Ok(None) };
        list(value).map(Some).ok_or_else(|| self.fault(key, "a list of words"))
    }

    /// Words by words that a device may provide.
    pub(super) fn map(&self, key: &'static str) -> Result<Option<Object<'b>>, Error> {
        let is_plain = |(key, value): (Text<'_>, Value<'_>)| {
            is_key(key) && key != *DEVICE_TYPE && word(value).is_some()
        };
        self.object_of(key, "keys with words, none of them device_type", is_plain)
    }

    /// Words, or lists of one or more words, by words.
    pub(super) fn choices(&self, key: &'static str) -> Result<Option<Object<'b>>, Error> {
        let is_choice = |(key, value): (Text<'_>, Value<'_>)| {
            let listed = list(value).is_some_and(|list| list.iter().next().is_some());
            is_key(key) && (listed || word(value).is_some())
        };
        self.object_of(key, "keys with words or lists of words", is_choice)
    }

    /// An object whose members are all `right`.
    fn object_of(
        &self,
        key: &'static str,
        expected: &'static str,
        right: impl Fn((Text<'b>, Value<'b>)) -> bool,
    ) -> Result<Option<Object<'b>>, Error> {
        let Some(value) = self.get(key) else { return Ok(None) };
        let object = value.to_object().filter(|object| object.iter().all(right));
        object.map(Some).ok_or_else(|| self.fault(key, expected))
    }
}

const WORD: &str = "a text of at most 256 bytes without control characters";

/// A key that a line of provides can have.
fn is_key(key: Text<'_>) -> bool {
    !key.is_empty() && is_word(key) && !key.chars().any(|char| char == '=')
}

fn is_word(text: Text<'_>) -> bool {
    text.len_bytes() <= WORD_MAX_BYTES && !text.chars().any(char::is_control)
}

fn word(value: Value<'_>) -> Option<Text<'_>> {
    value.to_text().filter(|text| is_word(*text))
}

fn list(value: Value<'_>) -> Option<Array<'_>> {
    value.to_array().filter(|list| list.iter().all(|value| word(value).is_some()))
}
