//! What a power cut leaves: where it may fall on a tape, and what may become of the writes that
//! were not flushed. Any of them may be lost, in any subset and any order, torn between any two
//! sectors; the one in flight may also leave sectors that are neither old nor new. What was
//! flushed stays.

use std::sync::Arc;

use twinslot::slot::Parts;

use super::board::Board;
use super::random::Random;
use super::store::{Fate, Write};
use super::tape::Op;

/// Writes of so few sectors are torn at every boundary; of larger ones the boundaries are drawn.
const TORN_EVERYWHERE: usize = 8;

/// One outcome of a cut.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Loss {
    /// Nothing that was not flushed survives.
    All,
    /// Everything survives, also what was in flight.
    Nothing,
    /// Of the writes that were not flushed this one survives.
    AllBut(usize),
    /// This one does not.
    Only(usize),
    /// The write in flight stops before this sector.
    Tear(usize),
    /// The write in flight garbles this sector, and stops.
    Garble(usize),
    /// Drawn by this seed: a subset, an order, tears, garbled sectors.
    Drawn(u64),
}

/// A place on a tape where the power fails.
#[derive(Debug)]
pub struct Cut {
    /// How many steps were done before.
    pub at: usize,
    /// What is on the medium for good, and what was done to the data partition.
    board: Board,
    /// Issued and not flushed; the last may be in flight.
    pending: Vec<Arc<Write>>,
    /// The step that the power failed in, if it is no read.
    flying: Option<Op>,
    parts: Parts,
}

/// All places where the power may fail on `tape`, which began with `start`, the one behind its
/// end included.
pub fn cuts(start: &Board, tape: &[Op], parts: Parts) -> Vec<Cut> {
    let mut board = start.clone();
    let mut pending = std::mem::take(&mut board.cache);
    // Those held until this life began; from now on U-Boot may go back.
    (board.truth.doing, board.truth.said) = (None, None);
    let mut cuts = Vec::new();
    for (at, op) in tape.iter().enumerate() {
        if !matches!(op, Op::Begin(_) | Op::Said(_) | Op::Read(..)) {
            cuts.push(Cut::new(at, &board, (&pending, Some(op)), parts));
        }
        match op {
            Op::Write(write) => pending.push(Arc::clone(write)),
            Op::Flush(place) => {
                for write in pending.extract_if(.., |write| write.place == *place) {
                    board.stores[place.index()].apply(&write);
                }
                board.note(parts);
            }
            _ => board.follow(op),
        }
    }
    cuts.push(Cut::new(tape.len(), &board, (&pending, None), parts));
    cuts
}

/// The board after all of `tape` and an orderly end.
pub fn end(start: &Board, tape: &[Op], parts: Parts) -> Board {
    let mut cuts = cuts(start, tape, parts);
    cuts.pop().map_or_else(|| start.clone(), |cut| cut.wreck(Loss::Nothing))
}

impl Cut {
    fn new(
        at: usize,
        board: &Board,
        (pending, flying): (&[Arc<Write>], Option<&Op>),
        parts: Parts,
    ) -> Self {
        let mut pending = pending.to_vec();
        if let Some(Op::Write(write)) = flying {
            pending.push(Arc::clone(write));
        }
        Self { at, board: board.clone(), pending, flying: flying.cloned(), parts }
    }

    /// The losses worth trying here: those that can be told one by one, and `drawn` by `random`.
    pub fn losses(&self, drawn: usize, random: &mut Random) -> Vec<Loss> {
        if self.pending.is_empty() && self.flying.is_none() {
            return vec![Loss::All];
        }
        let mut losses = vec![Loss::All, Loss::Nothing];
        if self.pending.len() > 1 {
            losses.extend((0..self.pending.len()).map(Loss::Only));
            losses.extend((0..self.pending.len()).map(Loss::AllBut));
        }
        if let Some(Op::Write(write)) = &self.flying
            && write.sectors() <= TORN_EVERYWHERE
        {
            losses.extend((1..write.sectors()).map(Loss::Tear));
            losses.extend((0..write.sectors()).map(Loss::Garble));
        }
        losses.extend((0..drawn).map(|_| Loss::Drawn(random.next())));
        losses
    }

    /// One drawn by `random`, of any kind.
    pub fn loss(&self, random: &mut Random) -> Loss {
        let losses = self.losses(2, random);
        losses[random.below(losses.len())]
    }

    /// The board after the cut.
    pub fn wreck(&self, loss: Loss) -> Board {
        let mut board = self.board.clone();
        match loss {
            Loss::Drawn(seed) => self.draw(&mut board, &mut Random::new(seed)),
            _ => {
                for (index, write) in self.pending.iter().enumerate() {
                    let mut fate = |sector| self.fate(loss, (index, sector));
                    board.stores[write.place.index()].apply_in_part(write, &mut fate);
                }
                if loss != Loss::All {
                    self.finish(&mut board);
                }
            }
        }
        board.note(self.parts);
        board
    }

    /// The program was killed here and the power stayed: nothing is lost yet, all may be later.
    pub fn killed(&self, loss: Loss) -> Board {
        let mut board = self.board.clone();
        board.cache.clone_from(&self.pending);
        if let Some(attempt) = board.truth.attempt.as_mut() {
            attempt.asked = None;
        }
        if loss != Loss::All {
            self.finish(&mut board);
        }
        board
    }

    fn fate(&self, loss: Loss, (index, sector): (usize, usize)) -> Fate {
        let is_last = index + 1 == self.pending.len();
        let kept = match loss {
            Loss::All | Loss::Drawn(_) => false,
            Loss::Nothing => true,
            Loss::AllBut(one) => index == one,
            Loss::Only(one) => index != one,
            Loss::Tear(end) => !is_last || sector < end,
            Loss::Garble(at) if is_last && sector == at => return Fate::Garbled(at + self.at),
            Loss::Garble(at) => !is_last || sector < at,
        };
        if kept { Fate::Kept } else { Fate::Lost }
    }

    /// Does the step on the data partition that was under way.
    fn finish(&self, board: &mut Board) {
        if let Some(op) = &self.flying {
            board.follow(op);
        }
    }

    fn draw(&self, board: &mut Board, random: &mut Random) {
        let mut order: Vec<usize> = (0..self.pending.len()).collect();
        if random.coin() {
            random.shuffle(&mut order);
        }
        let common = Pattern::draw(random);
        for index in order {
            let write = &self.pending[index];
            let is_flying =
                index + 1 == self.pending.len() && matches!(&self.flying, Some(Op::Write(_)));
            let pattern = match common {
                Pattern::Each => Pattern::draw(random),
                common => common,
            };
            let mut brush = Brush::new(pattern, write.sectors(), random);
            board.stores[write.place.index()].apply_in_part(write, &mut |sector| match brush
                .fate(sector, random)
            {
                Fate::Garbled(_) if !is_flying => Fate::Lost,
                fate => fate,
            });
        }
        self.tear_record(board, random);
    }

    fn tear_record(&self, board: &mut Board, random: &mut Random) {
        match &self.flying {
            Some(Op::Append(line)) => {
                let end = random.below(line.text.len());
                if end + 1 == line.text.len() {
                    // Only its line feed is missing: the record counts.
                    self.finish(board);
                    board.data.journal.pop();
                } else {
                    board.data.append(&line.text[..end]);
                }
            }
            _ if random.coin() => self.finish(board),
            _ => {}
        }
    }
}

/// How a write comes apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Pattern {
    /// Each write by a pattern of its own.
    Each,
    /// Whole or not at all.
    Coin,
    /// Its first sectors survive.
    Front,
    /// Its last sectors survive.
    Back,
    /// Each sector survives or not by itself.
    Sectors,
    /// A run of sectors is garbled, those before it survive.
    Garbled,
    /// Sector by sector lost, kept or garbled.
    Mixed,
}

impl Pattern {
    fn draw(random: &mut Random) -> Self {
        let all = [
            Self::Each,
            Self::Coin,
            Self::Front,
            Self::Back,
            Self::Sectors,
            Self::Garbled,
            Self::Mixed,
        ];
        all[random.below(all.len())]
    }
}

/// A pattern on its way over a write.
struct Brush {
    pattern: Pattern,
    from: usize,
    to: usize,
    is_kept: bool,
}

impl Brush {
    fn new(pattern: Pattern, sectors: usize, random: &mut Random) -> Self {
        let from = random.below(sectors + 1);
        let to = from + random.below(sectors + 1 - from);
        Self { pattern, from, to, is_kept: random.coin() }
    }

    fn fate(&mut self, sector: usize, random: &mut Random) -> Fate {
        let pick = sector + self.from;
        let kept = match self.pattern {
            Pattern::Each | Pattern::Coin => self.is_kept,
            Pattern::Front => sector < self.from,
            Pattern::Back => sector >= self.from,
            Pattern::Sectors => random.coin(),
            Pattern::Garbled if (self.from..=self.to).contains(&sector) => {
                return Fate::Garbled(pick);
            }
            Pattern::Garbled => sector < self.from,
            Pattern::Mixed => match random.below(3) {
                0 => return Fate::Garbled(pick),
                one => one == 1,
            },
        };
        if kept { Fate::Kept } else { Fate::Lost }
    }
}
