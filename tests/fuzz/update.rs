//! A board's life, told by bytes: boots, deeds, and power cuts under any loss. Judged after every
//! step as `tests/powercut.rs` judges; the input's length is the fuel.

use std::sync::OnceLock;

use crate::sim::board::Board;
use crate::sim::judge::{Judge, Wish};
use crate::sim::loss::{self, Loss};
use crate::sim::scene::{Plan, Scene, Spare};
use twinslot::slot::Slot;
use uboot_env::Which;

/// Steps before a board is left alone.
const STEPS_MAX: usize = 12;

/// Two bytes choose the board, then four a step: what it wishes, where the power fails, and how.
pub fn operations(data: &[u8]) {
    let [choice, steps @ ..] = data else { return };
    let scene = &scenes()[usize::from(*choice) % scenes().len()];
    let judge = Judge::new(scene);
    let mut board = scene.board.clone();
    for step in steps.chunks_exact(4).take(STEPS_MAX) {
        board = live(&judge, &board, [step[0], step[1], step[2], step[3]]);
    }
    judge.converge(&board).unwrap();
}

fn live(judge: &Judge<'_>, board: &Board, [wish, at, kind, detail]: [u8; 4]) -> Board {
    let wish = [Wish::Update, Wish::Refuse, Wish::Rest][usize::from(wish) % 3];
    let (_, power) = judge.live(board, wish).unwrap();
    let cuts = loss::cuts(board, &power.tape(), judge.scene.parts);
    let cut = &cuts[usize::from(at) % cuts.len()];
    let losses = [
        Loss::All,
        Loss::Nothing,
        Loss::Only(usize::from(detail)),
        Loss::AllBut(usize::from(detail)),
        Loss::Tear(usize::from(detail)),
        Loss::Garble(usize::from(detail)),
        Loss::Drawn(u64::from(detail) << 8 | u64::from(kind)),
    ];
    let wreck = cut.wreck(losses[usize::from(kind) % losses.len()]);
    judge.inspect(&wreck).unwrap();
    wreck
}

/// Small payloads: a step must be quick.
fn scenes() -> &'static [Scene; 3] {
    static SCENES: OnceLock<[Scene; 3]> = OnceLock::new();
    SCENES.get_or_init(|| {
        let small = Plan { payload_bytes: 150_000, ..Plan::default() };
        [
            Scene::new(small),
            Scene::new(Plan { booted: Slot::B, flags: 254, copy: Which::Second, ..small }),
            Scene::new(Plan { flags: 255, spare: Spare::Bad, bootlimit: 2, ..small }),
        ]
    })
}
