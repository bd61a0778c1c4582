//! A board before an update and the update that comes: what the slots hold, which runs, and what
//! the environment says. Everything that may be found after a power cut is made here.

use twinslot::artifact::trust::Keys;
use twinslot::memory::{BLOCK_BYTES, HEAD_BYTES};
use twinslot::slot::medium::Check;
use twinslot::slot::{Parts, Slot};
use twinslot::stream::block::Unchanged;
use twinslot::update::checkpoint::Checkpoint;
use uboot_env::Which;

use super::artifact::{self, Artifact, DEVICE_TYPE, Plain, Signer256};
use super::board::{Board, Data, Truth};
use super::random::Random;
use super::shell::Job;
use super::store::{PAGE_BYTES, Place, Store};
use super::uboot::{self, Vars};

/// Room for the longest payload and some bytes behind it.
const SLOT_BYTES: usize = 2 * BLOCK_BYTES + 96 * PAGE_BYTES;

/// What is on record of the system that the update writes over.
pub const OLDER: &[u8] = b"artifact_name=release-0\n";

/// What is particular about a board and its update.
#[derive(Debug, Clone, Copy)]
pub struct Plan {
    pub payload_bytes: usize,
    pub booted: Slot,
    /// Flags of the copy in use, and which it is.
    pub flags: u8,
    pub copy: Which,
    pub spare: Spare,
    pub bootlimit: u32,
    pub unchanged: Unchanged,
    pub block_bytes: usize,
    /// Payload between two checkpoints, and how far places are apart that one can be at.
    pub step_bytes: u64,
    pub grain_bytes: u64,
}

/// What the copy holds that is not in use.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Spare {
    /// The trial of the system that now runs: were it taken, U-Boot would go back.
    Older,
    /// Nothing that U-Boot takes.
    Bad,
}

impl Default for Plan {
    fn default() -> Self {
        Self {
            payload_bytes: 2 * BLOCK_BYTES + 70_000,
            booted: Slot::A,
            flags: 7,
            copy: Which::First,
            spare: Spare::Older,
            bootlimit: 1,
            unchanged: Unchanged::Skip,
            block_bytes: 512,
            step_bytes: u64::MAX,
            grain_bytes: 1,
        }
    }
}

/// A plan carried out.
#[derive(Debug)]
pub struct Scene {
    pub plan: Plan,
    pub parts: Parts,
    pub keys: Keys,
    pub payload: Vec<u8>,
    pub artifact: Vec<u8>,
    pub board: Board,
    /// What the other slot holds after the update: the payload, and what was behind it.
    pub installed: Store,
}

impl Scene {
    pub fn new(plan: Plan) -> Self {
        let random = &mut Random::new(0x5EED);
        let [running, older] = [random.bytes(SLOT_BYTES), random.bytes(SLOT_BYTES)];
        let mut payload = random.bytes(plan.payload_bytes);
        // The second transfer holds what the slot holds already.
        let same = BLOCK_BYTES.min(payload.len())..(2 * BLOCK_BYTES).min(payload.len());
        payload[same.clone()].copy_from_slice(&older[same]);
        let mut after = older.clone();
        after[..payload.len()].copy_from_slice(&payload);
        let slots = match plan.booted {
            Slot::A => [Store::new(&running), Store::new(&older)],
            Slot::B => [Store::new(&older), Store::new(&running)],
        };
        let parts = Parts::new(2, 11).unwrap();
        let artifact = Artifact::new(&payload, DEVICE_TYPE, Signer256::Owner).bytes();
        let board = board(plan, parts, slots);
        let installed = Store::new(&after);
        let keys = artifact::keys();
        Self { plan, parts, keys, payload, artifact, board, installed }
    }

    pub fn job(&self) -> Job<'_> {
        Job {
            artifact: &self.artifact,
            keys: &self.keys,
            parts: self.parts,
            unchanged: self.plan.unchanged,
            check: Check::Everything,
            block_bytes: self.plan.block_bytes,
            slot_bytes: u64::try_from(SLOT_BYTES).unwrap(),
            step_bytes: self.plan.step_bytes,
            decoders: Plain { grain_bytes: self.plan.grain_bytes },
        }
    }

    /// The slot that ran before, whose bytes nobody may change.
    pub fn home(&self) -> Slot {
        self.plan.booted
    }

    /// The slot the update goes to.
    pub fn target(&self) -> Slot {
        self.plan.booted.other()
    }

    /// What was there before.
    pub fn before(&self, slot: Slot) -> &Store {
        self.board.store(Place::Slot(slot))
    }

    /// Whether a slot holds all of a system, old or new.
    pub fn starts(&self, slot: Slot, content: &Store) -> bool {
        content.same(self.before(slot)) || (slot == self.target() && self.is_installed(content))
    }

    /// Whether `content` is the payload, with what was behind it: but for the rest of the
    /// payload's last block, which is written with it and may be garbled with it.
    pub fn is_installed(&self, content: &Store) -> bool {
        let end = self.payload.len();
        let behind = end.next_multiple_of(self.plan.block_bytes)..content.len_bytes();
        content.same_in(&self.installed, 0..end) && content.same_in(&self.installed, behind)
    }

    /// Whether all that `checkpoint` says is in the slot is there.
    pub fn bears(&self, content: &Store, checkpoint: &Checkpoint) -> bool {
        let end = usize::try_from(checkpoint.at_byte).unwrap();
        // The rest is written again with what follows it.
        let end = end - end % self.plan.block_bytes;
        content.same_in(&self.installed, HEAD_BYTES..end)
    }

    /// Whether a boot loader that knows nothing would take the slot for a system, and it is none.
    pub fn deceives(&self, slot: Slot, content: &Store) -> bool {
        let head = 0..self.payload.len().min(HEAD_BYTES);
        let is_headed = |system: &Store| content.same_in(system, head.clone());
        let is_new = slot == self.target() && is_headed(&self.installed);
        (is_headed(self.before(slot)) || is_new) && !self.starts(slot, content)
    }
}

fn board(plan: Plan, parts: Parts, slots: [Store; 2]) -> Board {
    let number = parts.number(plan.booted);
    let mut vars: Vars = [("bootlimit", plan.bootlimit), ("bootcount", 1)]
        .into_iter()
        .chain([("mender_boot_part", number), ("upgrade_available", 0)])
        .map(|(name, value)| (name.to_owned(), value.to_string()))
        .collect();
    vars.insert("mender_boot_part_hex".to_owned(), format!("{number:x}"));
    // So that a torn copy has some variables of one save and some of the other.
    for (name, filler) in [("bootcmd", "a"), ("kernel", "b"), ("nand", "c"), ("stdin", "d")] {
        vars.insert(name.to_owned(), filler.repeat(700));
    }
    let current = uboot::export(&vars, plan.flags);
    vars.insert("upgrade_available".to_owned(), "1".to_owned());
    let mut spare = uboot::export(&vars, plan.flags.wrapping_sub(1));
    if plan.spare == Spare::Bad {
        spare[2000] ^= 1;
    }
    let copies = match plan.copy {
        Which::First => [current, spare],
        Which::Second => [spare, current],
    };
    let [first, second] = copies.map(|copy| Store::new(&copy));
    let [a, b] = slots;
    let mut data = Data::default();
    *data.provides_mut(plan.booted) = Some(b"artifact_name=release-1\n".to_vec());
    *data.provides_mut(plan.booted.other()) = Some(OLDER.to_vec());
    Board { stores: [a, b, first, second], cache: Vec::new(), data, truth: Truth::new() }
}
