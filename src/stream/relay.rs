//! How payload gets from its source over the digest to the medium: in order, a block at a time,
//! in buffers claimed before. Who runs the stages, on one thread or on three, is the shell's.

use crate::memory::{Block, RING_BLOCKS};

/// What `fill` put into a block: so many bytes, and what is to be known of them.
pub type Filled<N> = (usize, N);

/// Fills a block from its start; with no byte only after the end.
pub type Fill<'s, E, N> = dyn FnMut(&mut [u8]) -> Result<Filled<N>, E> + 's;

/// Takes the bytes of a block, and may add to its note.
pub type Digest<'s, N> = dyn FnMut(&[u8], &mut N) + Send + 's;

/// Puts the first bytes of a block, as many as were filled, on the medium.
pub type Put<'s, E, N> = dyn FnMut(&mut Block, Filled<N>) -> Result<(), E> + Send + 's;

/// The three stages. `E` is what any of them fails with, `N` the note that goes with a block.
pub struct Stages<'s, E, N> {
    /// First.
    pub fill: &'s mut Fill<'s, E, N>,
    /// Second.
    pub digest: &'s mut Digest<'s, N>,
    /// Last.
    pub put: &'s mut Put<'s, E, N>,
}

/// Runs the stages.
pub trait Relay {
    /// Calls `fill` until it returns 0, and hands each block to `digest`, then to `put`, in
    /// order. Allocates nothing between the first and the last block.
    ///
    /// # Errors
    /// The first stage error; no stage is called after it.
    fn carry<E: Send, N: Default + Send>(
        &mut self,
        ring: &mut [Block; RING_BLOCKS],
        stages: Stages<'_, E, N>,
    ) -> Result<(), E>;
}

/// One stage after the other on the calling thread.
#[derive(Debug)]
pub struct InTurn;

impl Relay for InTurn {
    fn carry<E: Send, N: Default + Send>(
        &mut self,
        ring: &mut [Block; RING_BLOCKS],
        stages: Stages<'_, E, N>,
    ) -> Result<(), E> {
        let [block, ..] = ring;
        loop {
            let (len, mut note) = (stages.fill)(&mut block.0)?;
            if len == 0 {
                return Ok(());
            }
            (stages.digest)(&block.0[..len], &mut note);
            (stages.put)(block, (len, note))?;
        }
    }
}
