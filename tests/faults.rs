//! Whatever fails while the power stays: an error, nothing armed, the running system and its
//! environment as they were. Every operation fails once, or for ever; media lie, stick and end.

#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used, clippy::panic)]

#[path = "faults/resumed.rs"]
mod resumed;
mod sim;

use sim::board::{Board, Truth};
use sim::judge::Judge;
use sim::loss;
use sim::power::{Power, Trouble};
use sim::random::Random;
use sim::scene::{Plan, Scene};
use sim::shell::{Failure, Job, Shell};
use sim::store::{Place, Store};
use sim::tape::{Deed, Op};
use sim::uboot;
use twinslot::journal::outcome::{self, Now, Outcome};
use twinslot::journal::records;
use twinslot::memory::{BLOCK_BYTES, HEAD_BYTES};
use twinslot::slot::{Slot, medium};
use twinslot::update;
use uboot_env::Which;

const TARGET: Place = Place::Slot(Slot::B);
const PAYLOAD_BYTES: usize = 2 * BLOCK_BYTES + 70_000;

/// The second of three transfers is what the slot holds already.
fn scene() -> Scene {
    Scene::new(Plan { payload_bytes: PAYLOAD_BYTES, ..Plan::default() })
}

/// A deed in trouble, and what was left.
struct Mishap {
    /// The board it was done on.
    start: Board,
    power: Power,
    done: Result<(), Failure>,
    left: Board,
}

impl Mishap {
    fn of(judge: &Judge<'_>, (board, deed): (&Board, Deed), trouble: Trouble) -> Self {
        let (board, booted) = started(judge, board);
        Self::running(judge, (&board, booted, deed), trouble)
    }

    /// On a board that is up.
    fn running(
        judge: &Judge<'_>,
        (board, booted, deed): (&Board, Slot, Deed),
        trouble: Trouble,
    ) -> Self {
        let power = Power::in_trouble(board, trouble);
        let done = Shell { power: &power, booted, job: &judge.job }.run(deed);
        let truth = Truth { said: None, ..board.truth };
        let left = Board { stores: power.stores(), cache: Vec::new(), data: power.data(), truth };
        Self { start: board.clone(), power, done, left }
    }

    /// The new system is in its slot, proven, and comes next.
    fn is_armed(&self, judge: &Judge<'_>) -> bool {
        let loaded = uboot::load(&self.left.stores[2], &self.left.stores[3]).unwrap();
        let armed = loaded.slot(judge.scene.parts) == Some(judge.scene.target());
        assert!(!armed || judge.scene.is_installed(self.left.store(TARGET)));
        armed
    }

    /// How the attempt is told.
    fn told(&self, judge: &Judge<'_>) -> Outcome {
        let loaded = uboot::load(&self.left.stores[2], &self.left.stores[3]).unwrap();
        let (booted, in_progress) = (judge.scene.home(), loaded.tries());
        let now = Now { next: booted, in_progress, serial: loaded.flags };
        outcome::last(records(&self.left.data.journal), now).outcome
    }
}

/// The board once it is up, and what runs on it.
fn started(judge: &Judge<'_>, board: &Board) -> (Board, Slot) {
    let calm = Power::on(board);
    let booted = judge.boot(&calm, board).unwrap();
    (loss::end(board, &calm.tape(), judge.scene.parts), booted)
}

/// What holds after any trouble while installing.
#[track_caller]
fn hold(judge: &Judge<'_>, trouble: Trouble) -> Mishap {
    hold_from(judge, &judge.scene.board, trouble)
}

#[track_caller]
fn hold_from(judge: &Judge<'_>, board: &Board, trouble: Trouble) -> Mishap {
    let scene = judge.scene;
    let mishap = Mishap::of(judge, (board, Deed::Install), trouble);
    let home = Place::Slot(scene.home());
    assert!(mishap.left.store(home).same(scene.before(scene.home())), "{trouble:?}");
    assert!(
        mishap.left.store(Place::Copy(Which::First)).same(&scene.board.stores[2]),
        "{trouble:?}"
    );
    assert_eq!(mishap.is_armed(judge), mishap.done.is_ok(), "{trouble:?}: {:?}", mishap.done);
    assert!(!scene.deceives(scene.target(), mishap.left.store(TARGET)), "{trouble:?}");
    if let Err(Failure::Update(update::Error::Slot(_))) = mishap.done {
        assert!(!scene.is_installed(mishap.left.store(TARGET)), "{trouble:?}: it would start");
    }
    if mishap.done.is_err() {
        let is_silent = matches!(trouble, Trouble::Full(_)) && mishap.told(judge) == Outcome::None;
        assert!(is_silent || mishap.told(judge) == Outcome::Failed, "{trouble:?}");
        recover(judge, &mishap);
    }
    mishap
}

/// When the trouble is over an update succeeds.
#[track_caller]
fn recover(judge: &Judge<'_>, mishap: &Mishap) {
    let truth = Truth { before: mishap.told(judge), ..Truth::new() };
    judge.converge(&Board { truth, ..mishap.left.clone() }).unwrap();
}

/// The power fails too, somewhere on the way.
fn cut(judge: &Judge<'_>, mishap: &Mishap) {
    let random = &mut Random::new(7);
    for cut in loss::cuts(&mishap.start, &mishap.power.tape(), judge.scene.parts) {
        let wreck = cut.wreck(cut.loss(random));
        judge.inspect(&wreck).unwrap();
        judge.start(&Power::on(&wreck)).unwrap();
    }
}

/// What was reported to have failed stays undone, also when the power fails right behind.
fn stays_undone(judge: &Judge<'_>, mishap: &Mishap) {
    let Err(failure) = &mishap.done else { return };
    let cuts = loss::cuts(&mishap.start, &mishap.power.tape(), judge.scene.parts);
    let end = cuts.last().unwrap();
    for loss in end.losses(8, &mut Random::new(8)) {
        let wreck = end.wreck(loss);
        let loaded = uboot::load(&wreck.stores[2], &wreck.stores[3]).unwrap();
        assert_eq!(
            loaded.slot(judge.scene.parts),
            Some(judge.scene.home()),
            "{failure:?} {loss:?}"
        );
        if let Failure::Update(update::Error::Slot(_)) = failure {
            assert!(!judge.scene.is_installed(wreck.store(TARGET)), "{failure:?} {loss:?}");
        }
    }
}

/// What an update does when nothing is wrong.
fn operations(judge: &Judge<'_>) -> Vec<Op> {
    operations_from(judge, &judge.scene.board)
}

fn operations_from(judge: &Judge<'_>, board: &Board) -> Vec<Op> {
    let calm = Mishap::of(judge, (board, Deed::Install), Trouble::None);
    assert!(calm.done.is_ok() && calm.is_armed(judge));
    let tape = calm.power.tape();
    tape.into_iter().filter(|op| !matches!(op, Op::Begin(_) | Op::Said(_))).collect()
}

#[test]
fn any_operation_that_fails_once_ends_an_update_and_arms_nothing() {
    let scene = scene();
    let judge = Judge::new(&scene);
    let mut survived = Vec::new();
    for (at, op) in operations(&judge).iter().enumerate() {
        let mishap = hold(&judge, Trouble::Fails(at));
        cut(&judge, &mishap);
        stays_undone(&judge, &mishap);
        if mishap.done.is_ok() {
            survived.push(op.to_string());
        }
    }
    assert_eq!(survived, SURVIVED);
}

const SURVIVED: [&str; 9] = [
    // Read again under the lock.
    "read env first 0+4096",
    "read env second 0+4096",
    // The spare copy, which is read again before it is written over.
    "read env second 0+4096",
    "read env second 0+4096",
    // What cannot be compared is written: the start of each transfer, and the rest of the one whose
    // start is held already.
    "read slot b 131072+4096",
    "read slot b 1048576+4096",
    "read slot b 1052672+1044480",
    "read slot b 2097152+4096",
    // The copy that is the spare one by now.
    "read env first 0+4096",
];

#[test]
fn a_data_partition_that_takes_no_more_ends_an_update_before_it_is_armed() {
    let scene = scene();
    let judge = Judge::new(&scene);
    for from in 0..operations(&judge).len() {
        hold(&judge, Trouble::Full(from));
    }
}

/// What was flushed before the device went stays there; nothing is known of the rest.
#[test]
fn a_device_that_vanishes_leaves_the_old_system_or_the_new_one_whole() {
    let scene = scene();
    let judge = Judge::new(&scene);
    for from in 0..operations(&judge).len() {
        let install = (&scene.board, Deed::Install);
        let mishap = Mishap::of(&judge, install, Trouble::Gone(from));
        assert!(mishap.done.is_err());
        let written = mishap.power.tape().iter().rposition(is_env_write).is_some();
        assert!(!mishap.is_armed(&judge) || written, "gone from {from}");
        judge.inspect(&mishap.left).unwrap();
        assert!(mishap.left.store(Place::Copy(Which::First)).same(&scene.board.stores[2]));
    }
}

fn is_env_write(op: &Op) -> bool {
    matches!(op, Op::Write(write) if matches!(write.place, Place::Copy(_)))
}

/// Sectors of the payload, from the head to its end.
const SECTORS: [usize; 9] = {
    let (head, block) = (HEAD_BYTES / 512, BLOCK_BYTES / 512);
    let last = PAYLOAD_BYTES / 512;
    [0, 2, head - 1, head, block - 1, block, 2 * block, last - 1, last]
};

#[test]
fn a_medium_that_returns_other_bytes_than_were_written_is_found_out() {
    let scene = scene();
    let judge = Judge::new(&scene);
    for sector in SECTORS {
        let mishap = hold(&judge, Trouble::Lies(TARGET, sector * 512 + 77));
        let update = mishap.done.unwrap_err();
        assert!(matches!(
            update,
            Failure::Update(update::Error::Slot(
                medium::Error::ReadBack { .. } | medium::Error::Head(_)
            ))
        ));
    }
    let behind = SECTORS[8] + 1;
    assert!(hold(&judge, Trouble::Lies(TARGET, behind * 512)).done.is_ok());
}

#[test]
fn a_block_that_takes_no_writes_is_found_out() {
    let scene = scene();
    let judge = Judge::new(&scene);
    for sector in SECTORS {
        let is_same = (BLOCK_BYTES / 512..2 * BLOCK_BYTES / 512).contains(&sector);
        let mishap = hold(&judge, Trouble::Stuck(TARGET, sector));
        assert_eq!(mishap.done.is_ok(), is_same, "{sector}");
    }
}

/// Of a copy: the CRC, the serial, and bytes of every sector.
const LIES: [usize; 10] = [0, 4, 5, 600, 1200, 1800, 2400, 3000, 3600, 4095];

#[test]
fn an_environment_that_lies_or_sticks_is_found_out() {
    let scene = scene();
    let judge = Judge::new(&scene);
    let copy = Place::Copy(Which::Second);
    for sector in 0..8 {
        hold(&judge, Trouble::Stuck(copy, sector));
    }
    for byte in LIES {
        let liar = Trouble::Lies(copy, byte);
        let mishap = Mishap::of(&judge, (&scene.board, Deed::Install), liar);
        assert!(mishap.done.is_err() && !mishap.is_armed(&judge), "{byte}");
    }
}

#[test]
fn an_environment_that_somebody_else_changes_meanwhile_is_left_to_them() {
    let scene = scene();
    let judge = Judge::new(&scene);
    let operations = operations(&judge);
    let is_record = |op: &Op| matches!(op, Op::Append(line) if line.word == "started");
    let started = operations.iter().position(is_record).unwrap();
    let written = operations.iter().position(is_env_write).unwrap();
    // From the first operation on a slot to the last look at the environment.
    for at in (started..written).filter(|at| !is_kept(&operations[*at])) {
        let install = (&scene.board, Deed::Install);
        let mishap = Mishap::of(&judge, install, Trouble::Meddled(at));
        let serial = uboot::load(&mishap.left.stores[2], &mishap.left.stores[3]).unwrap().flags;
        assert!(mishap.done.is_err() && serial == 8, "{at}: {:?}", mishap.done);
    }
}

/// Whether it is an operation on the data partition.
fn is_kept(op: &Op) -> bool {
    matches!(op, Op::Append(_) | Op::Remember(..) | Op::Forget(_))
}

#[test]
fn a_slot_too_small_by_a_block_is_refused_before_the_first_write() {
    let scene = scene();
    let needed = u64::try_from(PAYLOAD_BYTES.next_multiple_of(512)).unwrap();
    for (slot_bytes, fits) in [(512, false), (needed - 512, false), (needed, true)] {
        let judge = Judge { scene: &scene, job: Job { slot_bytes, ..scene.job() } };
        let mishap = Mishap::of(&judge, (&scene.board, Deed::Install), Trouble::None);
        assert_eq!(mishap.done.is_ok(), fits, "{slot_bytes}");
        let wrote = mishap.power.tape().iter().any(|op| matches!(op, Op::Write(_)));
        assert_eq!(wrote, fits, "{slot_bytes}");
    }
}

/// The board that is armed.
fn armed(judge: &Judge<'_>) -> Board {
    let install = (&judge.scene.board, Deed::Install);
    let power = Mishap::of(judge, install, Trouble::None).power;
    loss::end(&judge.scene.board, &power.tape(), judge.scene.parts)
}

/// The partition that boots, and whether on trial.
type Next = (Option<u32>, bool);

fn next(stores: &[Store; 4]) -> Next {
    let loaded = uboot::load(&stores[2], &stores[3]).unwrap();
    (loaded.part(), loaded.tries())
}

/// Everything that can go wrong with `count` operations and two copies.
fn troubles(count: usize) -> Vec<Trouble> {
    let each = |at| [Trouble::Fails(at), Trouble::Gone(at), Trouble::Full(at)];
    let mut troubles: Vec<_> = (0..count).flat_map(each).collect();
    for copy in [Which::First, Which::Second].map(Place::Copy) {
        troubles.extend((0..8).map(|sector| Trouble::Stuck(copy, sector)));
        troubles.extend(LIES.map(|byte| Trouble::Lies(copy, byte)));
    }
    troubles
}

#[test]
fn a_decision_in_any_trouble_is_made_or_the_board_is_where_it_was() {
    let scene = scene();
    let judge = Judge::new(&scene);
    let armed = armed(&judge);
    let (tried, target) = started(&judge, &armed);
    let mut broken = scene.board.clone();
    broken.stores[3] = Store::new(&[0xA5; uboot::COPY_BYTES]);
    for (board, booted, deed) in [
        (&tried, target, Deed::Commit),
        (&tried, target, Deed::Rollback),
        (&armed, scene.home(), Deed::Disarm),
        (&broken, scene.home(), Deed::Repair),
    ] {
        let calm = Mishap::running(&judge, (board, booted, deed), Trouble::None);
        assert!(calm.done.is_ok(), "{deed:?}: {:?}", calm.done);
        let ends = [next(&board.stores), next(&calm.left.stores)];
        for trouble in troubles(calm.power.count()) {
            let mishap = Mishap::running(&judge, (board, booted, deed), trouble);
            decided(&judge, &mishap, (trouble, ends));
            for slot in [Slot::A, Slot::B].map(Place::Slot) {
                assert!(mishap.left.store(slot).same(board.store(slot)), "{deed:?}, {trouble:?}");
            }
        }
    }
}

/// What was reported is what the medium says.
#[track_caller]
fn decided(judge: &Judge<'_>, mishap: &Mishap, (trouble, [before, after]): (Trouble, [Next; 2])) {
    let found = next(&mishap.left.stores);
    match (&mishap.done, trouble) {
        (Ok(()), _) => assert_eq!(found, after, "{trouble:?}"),
        // A medium that went after it took the write keeps it.
        (Err(_), Trouble::Gone(_)) => assert!([before, after].contains(&found), "{trouble:?}"),
        (Err(failure), _) => {
            assert_eq!(found, before, "{trouble:?}: {failure:?}");
            undone(judge, mishap, before);
        }
    }
}

/// Also when the power fails right behind.
#[track_caller]
fn undone(judge: &Judge<'_>, mishap: &Mishap, before: Next) {
    let cuts = loss::cuts(&mishap.start, &mishap.power.tape(), judge.scene.parts);
    let end = cuts.last().unwrap();
    for loss in end.losses(8, &mut Random::new(9)) {
        assert_eq!(next(&end.wreck(loss).stores), before, "{:?}, {loss:?}", mishap.done);
    }
}
