//! A board that is given one bad artifact after another, and what must hold after each.

use super::artifacts::kept;
use super::forge::Forge;
use super::outcome::Outcome;
use super::plan::Plan;
use super::slot::{Slot, pattern};
use super::{Board, Snapshot};

/// One way an artifact can be bad.
pub struct Row {
    pub what: &'static str,
    pub exit: i32,
    pub code: &'static str,
    pub spoil: fn(&mut Forge),
}

/// A row of exit code 65.
pub const fn row(what: &'static str, code: &'static str, spoil: fn(&mut Forge)) -> Row {
    Row { what, exit: 65, code, spoil }
}

/// A board that refuses one artifact after another: nothing may change, so one serves for many.
pub struct Refuser {
    pub board: Board,
    before: Snapshot,
    slot: Vec<u8>,
}

impl Refuser {
    pub fn new() -> Self {
        let board = Board::new(Plan::default());
        let slot = pattern(board.place(Slot::B).bytes);
        Self { before: board.snapshot(), slot, board }
    }

    /// Installs the bytes and checks all that must hold after a refusal.
    #[track_caller]
    pub fn refuse(&self, what: &str, artifact: &[u8]) -> Outcome {
        let path = self.board.put("bad.mender", artifact);
        let outcome = self.board.twinslot(&["install", "--progress", "json", &path]);
        self.assert_refused(what, &outcome);
        outcome
    }

    #[track_caller]
    pub fn assert_refused(&self, what: &str, outcome: &Outcome) {
        assert!([65, 77].contains(&outcome.code), "{what}: wanted a refusal: {outcome}");
        assert_one_sentence(what, outcome);
        self.board.assert_untouched(&self.before, what);
        let slot = self.board.slot_bytes(Slot::B);
        assert_ne!(slot[0x438..0x43A], [0x53, 0xEF], "{what}: the other slot can be started");
    }

    /// Nothing was written at all.
    #[track_caller]
    pub fn assert_slot_untouched(&self, what: &str) {
        assert!(self.board.slot_bytes(Slot::B) == self.slot, "{what}: the other slot was written");
    }

    /// Runs a table whose rows are all refused before the first write.
    #[track_caller]
    pub fn refuse_all(&self, rows: &[Row]) {
        let mut wrong = Vec::new();
        for row in rows {
            let mut forge = Forge::default();
            (row.spoil)(&mut forge);
            let outcome = self.refuse(row.what, &forge.build());
            self.assert_slot_untouched(row.what);
            let code = outcome.error_code();
            if (outcome.code, &code[..]) != (row.exit, row.code) {
                let Row { what, exit, code: wanted, .. } = row;
                let message = outcome.message();
                wrong.push(format!(
                    "{what}: wanted {exit} {wanted}, got {} {code}: {message}",
                    outcome.code
                ));
            }
        }
        assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    }
}

/// One line, no full stop.
#[track_caller]
pub fn assert_one_sentence(what: &str, outcome: &Outcome) {
    let message = outcome.message();
    let single = !message.is_empty() && !message.contains('\n') && !message.ends_with('.');
    assert!(single, "{what}: no sentence: {message:?}");
}

/// Installs a good artifact with more options, and checks what must hold after any refusal.
#[track_caller]
pub fn refuse(board: &Board, options: &[&str], what: &str) -> Outcome {
    let before = board.snapshot();
    let path = board.lend(&kept("v3.9-gzip-p256.mender"));
    let tail = ["install", "--progress", "json", &path];
    let outcome = board.twinslot(&[options, &tail].concat());
    assert_ne!(outcome.code, 0, "{what}: {outcome}");
    assert_one_sentence(what, &outcome);
    board.assert_untouched(&before, what);
    outcome
}

/// The same, and nothing at all was written to the other slot. Returns the sentence.
#[track_caller]
pub fn refuse_early(board: &Board, options: &[&str], (exit, code): (i32, &str)) -> String {
    let before = board.slot_bytes(Slot::B);
    let outcome = refuse(board, options, code);
    assert_eq!((outcome.code, &outcome.error_code()[..]), (exit, code), "{outcome}");
    assert!(board.slot_bytes(Slot::B) == before, "{code}: the other slot was written");
    outcome.message()
}
