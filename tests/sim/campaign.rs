//! Power cuts by the thousand: at every step of what a board does, under every kind of loss; then
//! again at the steps of what it does next, and again. A wreck counts once, however often found.

use std::collections::HashSet;
use std::fmt;

use twinslot::slot::Slot;

use super::board::Board;
use super::judge::{Judge, Wish};
use super::loss::{self, Cut, Loss};
use super::power::Power;
use super::random::Random;
use super::scene::Scene;
use super::shell::Shell;
use super::tape::{Deed, Op};

/// Cuts in a row before a board is left alone.
const CUTS_MAX: usize = 5;

/// How hard to look, where not everything can be tried.
#[derive(Debug, Clone, Copy)]
pub struct Effort {
    /// Losses drawn at a cut, besides those that are told one by one.
    pub drawn: usize,
    /// Second cuts tried for a wreck.
    pub second: Second,
    /// One in so many second wrecks is followed to its end, the others to their next boot.
    pub every: usize,
}

/// Which of all the cuts in what a wreck does next.
#[derive(Debug, Clone, Copy)]
pub enum Second {
    /// Every one, under every loss that is told by itself, and as many drawn ones.
    Each,
    /// So many, drawn.
    Drawn(usize),
}

/// What a campaign found.
#[derive(Debug, Clone, Copy, Default)]
pub struct Tally {
    pub cuts: u64,
    /// Different boards after a cut.
    pub first: u64,
    /// Different boards after two or more.
    pub further: u64,
    /// Boards followed until they ran the new system.
    pub followed: u64,
}

impl Tally {
    pub fn wrecks(&self) -> u64 {
        self.first + self.further
    }
}

impl fmt::Display for Tally {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { cuts, first, further, followed } = self;
        write!(
            f,
            "{} wrecks: {first} of {cuts} cuts, {further} of cuts while recovering; \
             {followed} followed to the end",
            self.wrecks()
        )
    }
}

/// Where a board came from, for whoever has to find out what went wrong.
#[derive(Debug, Clone, Default)]
struct Path(Vec<String>);

impl Path {
    fn and(&self, tape: &[Op], cut: &Cut, loss: Loss) -> Self {
        let step = tape.get(cut.at).map_or_else(|| "the end".to_owned(), Op::to_string);
        let mut path = self.clone();
        path.0.push(format!("cut at {} ({step}), {loss:?}", cut.at));
        path
    }

    /// Stops everything if `found` is broken.
    fn hold<T>(&self, found: Result<T, String>) -> T {
        found.unwrap_or_else(|broken| panic!("{broken}\nafter {}", self.0.join("\nthen ")))
    }
}

#[derive(Debug)]
pub struct Campaign<'s> {
    judge: Judge<'s>,
    effort: Effort,
    random: Random,
    seen: HashSet<u64>,
    tally: Tally,
}

impl<'s> Campaign<'s> {
    pub fn new(scene: &'s Scene, effort: Effort, seed: u64) -> Self {
        let (judge, random) = (Judge::new(scene), Random::new(seed));
        Self { judge, effort, random, seen: HashSet::new(), tally: Tally::default() }
    }

    pub fn tally(&self) -> Tally {
        self.tally
    }

    /// From the next run on.
    pub fn look(&mut self, second: Second) {
        self.effort.second = second;
    }

    /// Lives through `lives`, each a boot and deeds, cutting everywhere; after a cut the board
    /// does as it wishes.
    pub fn run(&mut self, lives: &[&[Deed]], wish: Wish) {
        let mut board = self.judge.scene.board.clone();
        for deeds in lives {
            let start = Path::default();
            let power = Power::on(&board);
            let booted = start.hold(self.judge.boot(&power, &board));
            let shell = Shell { power: &power, booted, job: &self.judge.job };
            for deed in *deeds {
                start.hold(shell.run(*deed).map_err(|failure| format!("{deed:?}: {failure:?}")));
            }
            let tape = power.tape();
            self.cut_everywhere(&board, &tape, wish);
            self.kill_everywhere(&board, &tape, (booted, wish));
            board = loss::end(&board, &tape, self.judge.scene.parts);
        }
        Path::default().hold(self.judge.converge(&board));
    }

    fn cut_everywhere(&mut self, board: &Board, tape: &[Op], wish: Wish) {
        for cut in loss::cuts(board, tape, self.judge.scene.parts) {
            self.tally.cuts += 1;
            for loss in cut.losses(self.effort.drawn, &mut self.random) {
                let wreck = cut.wreck(loss);
                if self.seen.insert(wreck.fingerprint()) {
                    self.tally.first += 1;
                    self.recover(&wreck, wish, &Path::default().and(tape, &cut, loss));
                }
            }
        }
    }

    /// The first recovery of a wreck, cut in turn, and then undisturbed.
    fn recover(&mut self, wreck: &Board, wish: Wish, path: &Path) {
        path.hold(self.judge.inspect(wreck));
        let (booted, power) = path.hold(self.judge.live(wreck, wish));
        let tape = power.tape();
        let end = loss::end(wreck, &tape, self.judge.scene.parts);
        path.hold(self.judge.ask_why(&power, &end, booted));
        let cuts = loss::cuts(wreck, &tape, self.judge.scene.parts);
        self.cut_again(&tape, &cuts, path);
        self.follow(&end, path);
    }

    /// Second cuts of one board.
    fn cut_again(&mut self, tape: &[Op], cuts: &[Cut], path: &Path) {
        match self.effort.second {
            Second::Each => {
                for cut in cuts {
                    for loss in cut.losses(self.effort.drawn, &mut self.random) {
                        self.again((tape, cut), loss, path);
                    }
                }
            }
            Second::Drawn(count) => {
                for _ in 0..count {
                    let cut = &cuts[self.random.below(cuts.len())];
                    let loss = cut.loss(&mut self.random);
                    self.again((tape, cut), loss, path);
                }
            }
        }
    }

    /// One more cut, followed a while where it is this one's turn.
    fn again(&mut self, (tape, cut): (&[Op], &Cut), loss: Loss, path: &Path) {
        let wreck = cut.wreck(loss);
        if !self.seen.insert(wreck.fingerprint()) {
            return;
        }
        self.tally.further += 1;
        let path = path.and(tape, cut, loss);
        path.hold(self.judge.inspect(&wreck));
        if self.random.below(self.effort.every) == 0 {
            self.descend(wreck, path);
        } else {
            path.hold(self.judge.boot(&Power::on(&wreck), &wreck));
        }
    }

    /// Cuts a board that recovers, again and again, and then lets it.
    fn descend(&mut self, wreck: Board, path: Path) {
        let (mut board, mut path) = (wreck, path);
        for _ in 2..2 + self.random.below(CUTS_MAX - 1) {
            let wish = [Wish::Update, Wish::Refuse, Wish::Rest][self.random.below(3)];
            let (_, power) = path.hold(self.judge.live(&board, wish));
            let tape = power.tape();
            let cuts = loss::cuts(&board, &tape, self.judge.scene.parts);
            let cut = &cuts[self.random.below(cuts.len())];
            let loss = cut.loss(&mut self.random);
            board = cut.wreck(loss);
            path = path.and(&tape, cut, loss);
            path.hold(self.judge.inspect(&board));
            self.tally.further += u64::from(self.seen.insert(board.fingerprint()));
        }
        self.follow(&board, &path);
    }

    fn follow(&mut self, board: &Board, path: &Path) {
        self.tally.followed += 1;
        path.hold(self.judge.converge(board));
    }

    /// The program is killed, the power stays, the program runs again, and then the power fails:
    /// what the killed one wrote and did not flush may still be lost.
    fn kill_everywhere(&mut self, board: &Board, tape: &[Op], (booted, wish): (Slot, Wish)) {
        let starts = tape.iter().position(|op| matches!(op, Op::Begin(_))).unwrap_or(tape.len());
        for kill in loss::cuts(board, tape, self.judge.scene.parts) {
            if kill.at <= starts {
                continue;
            }
            for loss in [Loss::All, Loss::Nothing] {
                let killed = kill.killed(loss);
                let path = Path(vec![format!("killed, and")]).and(tape, &kill, loss);
                let power = Power::on(&killed);
                path.hold(self.judge.act(&power, (booted, wish)));
                let tape = power.tape();
                let cuts = loss::cuts(&killed, &tape, self.judge.scene.parts);
                self.cut_again(&tape, &cuts, &path);
            }
        }
    }
}
