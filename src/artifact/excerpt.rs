//! The words of an artifact in an error: bounded, and harmless on a terminal. Never holds more
//! than `N` bytes, whatever it is made from.

use core::fmt::{self, Write};

use heapless::String;

/// At most the first `N` bytes of a text, its control characters replaced. `N` is below 256.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Excerpt<const N: usize> {
    text: String<N, u8>,
    cut: bool,
}

impl<const N: usize> Excerpt<N> {
    /// The beginning of what `whole` prints.
    #[must_use]
    pub fn of(whole: impl fmt::Display) -> Self {
        let mut excerpt = Self::default();
        // Only a full excerpt stops the printing, and it says so itself.
        if write!(excerpt, "{whole}").is_err() {
            excerpt.cut = true;
        }
        excerpt
    }

    /// The words of `list`, with commas between.
    pub(crate) fn list<T: fmt::Display>(list: impl Iterator<Item = T>) -> Self {
        let mut excerpt = Self::default();
        for (index, word) in list.enumerate() {
            let comma = if index == 0 { "" } else { ", " };
            if write!(excerpt, "{comma}{word}").is_err() {
                excerpt.cut = true;
                break;
            }
        }
        excerpt
    }

    /// What was kept.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.text
    }
}

impl<const N: usize> Write for Excerpt<N> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        text.chars().try_for_each(|char| {
            let shown = if char.is_control() { '?' } else { char };
            self.text.push(shown).map_err(|_| fmt::Error)
        })
    }
}

impl<const N: usize> fmt::Display for Excerpt<N> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)?;
        f.write_str(if self.cut { "..." } else { "" })
    }
}

impl<const N: usize> fmt::Debug for Excerpt<N> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::format;

    #[test]
    fn an_excerpt_keeps_what_fits_and_says_when_it_cut() {
        assert_eq!(format!("{}", Excerpt::<4>::of("abc")), "abc");
        assert_eq!(format!("{}", Excerpt::<4>::of("abcd")), "abcd");
        assert_eq!(format!("{}", Excerpt::<4>::of("abcde")), "abcd...");
    }

    #[test]
    fn an_excerpt_never_splits_a_character() {
        assert_eq!(format!("{}", Excerpt::<4>::of("abc\u{e9}")), "abc...");
    }

    #[test]
    fn an_excerpt_shows_no_control_characters() {
        assert_eq!(Excerpt::<9>::of("\u{1b}[2J\n").as_str(), "?[2J?");
    }

    #[test]
    fn a_list_has_commas_and_is_cut_where_the_room_ends() {
        assert_eq!(format!("{}", Excerpt::<9>::list(["ab", "cd"].iter())), "ab, cd");
        assert_eq!(format!("{}", Excerpt::<3>::list(["ab", "cd"].iter())), "ab,...");
    }
}
