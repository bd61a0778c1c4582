//! What can go wrong with an update that goes on where it was stopped, and with the checkpoint it
//! builds on.

use twinslot::artifact::Origin;
use twinslot::memory::{BLOCK_BYTES, HEAD_BYTES};
use twinslot::stream::decode::Mark;
use twinslot::stream::digest::Digest;
use twinslot::update::checkpoint::Checkpoint;

use super::sim::board::Board;
use super::sim::judge::Judge;
use super::sim::loss::{self, Loss};
use super::sim::power::Trouble;
use super::sim::scene::{Plan, Scene};
use super::sim::store::Store;
use super::sim::tape::{Deed, Op};
use super::{
    Mishap, PAYLOAD_BYTES, TARGET, cut, hold_from, operations_from, recover, stays_undone,
};

/// A scene, its board when it lost its power right behind a checkpoint, and that one.
fn half() -> (Scene, Board, Checkpoint) {
    let (step_bytes, grain_bytes, payload_bytes) = (1, 1000, PAYLOAD_BYTES);
    let scene = Scene::new(Plan { step_bytes, grain_bytes, payload_bytes, ..Plan::default() });
    let tape = Mishap::of(&Judge::new(&scene), (&scene.board, Deed::Install), Trouble::None);
    let tape = tape.power.tape();
    let keeps: Vec<_> = (0..tape.len()).filter(|at| matches!(tape[*at], Op::Keep(_))).collect();
    let cuts = loss::cuts(&scene.board, &tape, scene.parts);
    let board = cuts.iter().find(|cut| cut.at > keeps[1]).unwrap().wreck(Loss::All);
    let line = board.data.checkpoint.clone().unwrap();
    (scene, board, Checkpoint::parse(&line).unwrap())
}

#[test]
fn any_operation_that_fails_once_ends_a_resumed_update_and_arms_nothing() {
    let (scene, board, _) = half();
    let judge = Judge::new(&scene);
    for at in 0..operations_from(&judge, &board).len() {
        let mishap = hold_from(&judge, &board, Trouble::Fails(at));
        cut(&judge, &mishap);
        stays_undone(&judge, &mishap);
    }
}

/// Installs on the board, changed, and tells what became of it.
#[track_caller]
fn installed(judge: &Judge<'_>, board: &Board, change: impl FnOnce(&mut Board)) -> Mishap {
    let mut board = board.clone();
    change(&mut board);
    let mishap = Mishap::of(judge, (&board, Deed::Install), Trouble::None);
    assert_eq!(mishap.is_armed(judge), mishap.done.is_ok(), "{:?}", mishap.done);
    mishap
}

fn flip(board: &mut Board, at_byte: usize) {
    let store = &mut board.stores[TARGET.index()];
    let mut bytes = store.bytes();
    bytes[at_byte] ^= 1;
    *store = Store::new(&bytes);
}

#[test]
fn a_slot_that_somebody_else_wrote_to_since_the_checkpoint_is_written_anew_at_once() {
    let (scene, board, checkpoint) = half();
    let judge = Judge::new(&scene);
    let at = usize::try_from(checkpoint.at_byte).unwrap();
    let calm = installed(&judge, &board, |_| {});
    assert!(calm.done.is_ok() && calm.power.resumed_bytes() > 1 << 20);
    for at in [HEAD_BYTES, BLOCK_BYTES, at - 513, at - 1] {
        let mishap = installed(&judge, &board, |board| flip(board, at));
        assert!(mishap.done.is_ok(), "{at}: {:?}", mishap.done);
        assert_eq!(mishap.power.resumed_bytes(), 0, "{at}");
    }
}

#[test]
fn a_checkpoint_that_lies_ends_an_update_and_is_not_there_for_the_next() {
    let (scene, board, checkpoint) = half();
    let judge = Judge::new(&scene);
    let at = usize::try_from(checkpoint.at_byte).unwrap();
    let mark = |coded_bytes| Mark { coded_bytes, ..checkpoint.mark };
    let coded = checkpoint.mark.coded_bytes;
    let mut content = scene.payload[..at].to_vec();
    content[BLOCK_BYTES] ^= 1;
    let lies = [
        Checkpoint { mark: mark(coded - 1000), ..checkpoint.clone() },
        Checkpoint { mark: mark(coded + 1), ..checkpoint.clone() },
        Checkpoint { mark: mark(checkpoint.origin.stored_bytes), ..checkpoint.clone() },
        Checkpoint { so_far: Digest::of(&content), ..checkpoint.clone() },
    ];
    for (number, lie) in lies.iter().enumerate() {
        let mishap = installed(&judge, &board, |board| {
            board.data.checkpoint = Some(lie.line().as_bytes().to_vec());
            if number == 3 {
                flip(board, BLOCK_BYTES);
            }
        });
        assert!(mishap.done.is_err() && mishap.power.resumed_bytes() > 0, "{number}");
        assert_eq!(mishap.left.data.checkpoint, None, "{number}");
        recover(&judge, &mishap);
    }
}

#[test]
fn a_checkpoint_of_anything_else_is_gone_before_the_slot_is_touched() {
    let (scene, board, checkpoint) = half();
    let judge = Judge::new(&scene);
    let Checkpoint { origin, at_byte, mark, .. } = checkpoint.clone();
    let other = Digest([7; 32]);
    let decoded = |decoded_bytes| Mark { decoded_bytes, ..mark };
    let others = [
        Checkpoint { slot: scene.home(), ..checkpoint.clone() },
        Checkpoint { origin: Origin { digest: other, ..origin }, ..checkpoint.clone() },
        Checkpoint { origin: Origin { header: other, ..origin }, ..checkpoint.clone() },
        Checkpoint { origin: Origin { size_bytes: 1, ..origin }, ..checkpoint.clone() },
        Checkpoint { origin: Origin { stored_bytes: 1, ..origin }, ..checkpoint.clone() },
        Checkpoint { at_byte: at_byte - 1, ..checkpoint.clone() },
        Checkpoint { at_byte: 0, mark: decoded(512), ..checkpoint.clone() },
        Checkpoint { at_byte: u64::MAX, mark: decoded(u64::MAX), ..checkpoint.clone() },
        Checkpoint { mark: decoded(0), ..checkpoint },
    ];
    let mut lines: Vec<Vec<u8>> = others.map(|other| other.line().as_bytes().to_vec()).into();
    lines.push(b"0123abcd {}".to_vec());
    for (number, line) in lines.into_iter().enumerate() {
        let mishap = installed(&judge, &board, |board| board.data.checkpoint = Some(line));
        assert!(mishap.done.is_ok(), "{number}: {:?}", mishap.done);
        assert_eq!(mishap.power.resumed_bytes(), 0, "{number}");
        let tape = mishap.power.tape();
        let first = tape.iter().position(|op| matches!(op, Op::Discard | Op::Write(_)));
        assert!(matches!(tape[first.unwrap()], Op::Discard), "{number}");
    }
}
