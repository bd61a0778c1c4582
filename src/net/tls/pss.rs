//! EMSA-PSS (RFC 8017 section 9.1.2) as TLS uses it: MGF1 over the same hash, a salt as long as
//! the hash. Never signs.

use sha2::Digest;
use twinslot::rsa::BYTES_MAX;

/// Whether what an RSA key of `key_bits` recovered from a signature, at the end of the array, was
/// made of `message`.
pub(super) fn made_of<D: Digest>(
    recovered: &[u8; BYTES_MAX],
    key_bits: u32,
    message: &[u8],
) -> bool {
    let bits = key_bits - 1;
    let len = usize::try_from(bits.div_ceil(8)).unwrap_or(BYTES_MAX);
    let (before, encoded) = recovered.split_at(BYTES_MAX - len);
    let hash_len = <D as Digest>::output_size();
    // Where the number has one bit more than whole bytes, the byte before is a part of it.
    let Some(block_len) = len.checked_sub(hash_len + 1).filter(|len| *len > hash_len) else {
        return false;
    };
    let (masked, rest) = encoded.split_at(block_len);
    let (hash, trailer) = rest.split_at(hash_len);
    let unused = u8::try_from(bits.next_multiple_of(8) - bits).unwrap_or(0);
    let top = 0xff_u8 >> unused;
    if trailer != [0xbc] || before.iter().any(|byte| *byte != 0) || masked[0] & !top != 0 {
        return false;
    }
    let mut block = [0; BYTES_MAX];
    let block = &mut block[..block_len];
    block.copy_from_slice(masked);
    unmask::<D>(block, hash);
    block[0] &= top;
    let (padding, salt) = block.split_at(block_len - hash_len);
    let Some((one, zeros)) = padding.split_last() else { return false };
    if *one != 1 || zeros.iter().any(|byte| *byte != 0) {
        return false;
    }
    let made = D::new().chain_update([0; 8]).chain_update(D::digest(message)).chain_update(salt);
    made.finalize()[..] == *hash
}

/// MGF1 (RFC 8017 B.2.1) of `seed` over `block`.
fn unmask<D: Digest>(block: &mut [u8], seed: &[u8]) {
    let numbered = (0_u32..).zip(block.chunks_mut(<D as Digest>::output_size()));
    for (number, chunk) in numbered {
        let mask = D::new().chain_update(seed).chain_update(number.to_be_bytes()).finalize();
        for (byte, mask) in chunk.iter_mut().zip(mask) {
            *byte ^= mask;
        }
    }
}
