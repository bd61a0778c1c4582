//! The rule on where things are on a board's eMMC.

use super::{Finding, Tree, finding};
use crate::board::Board;

pub(super) fn layout(tree: &Tree) -> Vec<Finding> {
    let mut found = Vec::new();
    for source in tree.iter().filter(|source| source.path.ends_with("/board.toml")) {
        match Board::parse("", &source.text) {
            Ok(board) => {
                let faults = board.faults().into_iter();
                found.extend(faults.map(|fault| finding(source, 1, fault)));
            }
            Err(error) => found.push(finding(source, 1, format!("{error:#}"))),
        }
    }
    found
}
