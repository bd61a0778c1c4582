//! JSON for whoever reads this program's output: objects of fields in the order they are added.

use std::fmt::{Display, Write as _};

use twinslot::json::Escaped;

/// An object in the making.
#[derive(Clone, Debug, Default)]
pub(crate) struct Object(String);

impl Object {
    /// A string.
    pub(crate) fn text(self, key: &str, value: impl Display) -> Self {
        self.raw(key, Escaped(value))
    }

    /// A string, or null.
    pub(crate) fn text_or_null(self, key: &str, value: Option<impl Display>) -> Self {
        match value {
            Some(value) => self.text(key, value),
            None => self.raw(key, "null"),
        }
    }

    /// A number, `true`, `false`, or JSON that is made already.
    pub(crate) fn raw(mut self, key: &str, value: impl Display) -> Self {
        let comma = if self.0.is_empty() { "" } else { "," };
        // Writing to a String does not fail.
        let _ = write!(self.0, "{comma}{}:{value}", Escaped(key));
        self
    }

    /// The fields of `other` too.
    pub(crate) fn and(mut self, other: &Self) -> Self {
        if !self.0.is_empty() && !other.0.is_empty() {
            self.0.push(',');
        }
        self.0.push_str(&other.0);
        self
    }
}

impl Display for Object {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{{{}}}", self.0)
    }
}

/// A JSON array of what is JSON already.
pub(crate) fn array(items: impl IntoIterator<Item = impl Display>) -> String {
    let items: Vec<String> = items.into_iter().map(|item| item.to_string()).collect();
    format!("[{}]", items.join(","))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_stand_in_order_and_texts_are_escaped() {
        let inner = Object::default().raw("n", 1).raw("b", true);
        let object = Object::default()
            .text("a\"", "x\ny")
            .text_or_null("z", None::<&str>)
            .raw("o", &inner)
            .raw("l", array([&inner]))
            .and(&Object::default())
            .and(&inner);
        let expected =
            r#"{"a\"":"x\ny","z":null,"o":{"n":1,"b":true},"l":[{"n":1,"b":true}],"n":1,"b":true}"#;
        assert_eq!(object.to_string(), expected);
        assert_eq!(Object::default().to_string(), "{}");
    }
}
