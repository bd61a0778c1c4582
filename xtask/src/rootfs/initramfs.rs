//! The initramfs: busybox, the modules that lead to the root file system, and board/common's
//! init. The kernel's own format, written here so that it is the same every time.

use super::contents::{Contents, Node};
use super::modules::Module;
use anyhow::Result;
use std::fmt::Write as _;

/// Adds modules and the order in which init loads them.
pub(crate) fn add_modules(contents: &mut Contents, modules: &[Module]) -> Result<()> {
    let mut order = String::new();
    for module in modules {
        contents.text(&format!("lib/modules/{}.ko", module.name), module.bytes.clone());
        writeln!(order, "{}", format!("{}.ko {}", module.name, module.options).trim_end())?;
    }
    contents.text("lib/modules/order", order);
    Ok(())
}

/// The archive: "new ASCII", as Documentation/driver-api/early-userspace/buffer-format.rst.
pub(crate) fn archive(contents: &Contents) -> Result<Vec<u8>> {
    let mut archive = Vec::new();
    for (number, (path, node)) in contents.iter().enumerate() {
        let (mode, bytes): (u32, &[u8]) = match node {
            Node::Directory => (0o040_755, &[]),
            Node::File { executable: true, bytes } => (0o100_755, bytes),
            Node::File { executable: false, bytes } => (0o100_644, bytes),
            Node::Link { target } => (0o120_777, target.as_bytes()),
        };
        member(&mut archive, &Member { number: number + 1, mode, path, bytes })?;
    }
    member(&mut archive, &Member { number: 0, mode: 0, path: "TRAILER!!!", bytes: &[] })?;
    Ok(archive)
}

struct Member<'a> {
    number: usize,
    mode: u32,
    path: &'a str,
    bytes: &'a [u8],
}

fn member(archive: &mut Vec<u8>, member: &Member<'_>) -> Result<()> {
    let number = u32::try_from(member.number)?;
    let bytes = u32::try_from(member.bytes.len())?;
    let name = u32::try_from(member.path.len() + 1)?;
    // inode, mode, uid, gid, links, time, size, device, device of a node, length of name, check
    let fields = [number, member.mode, 0, 0, 1, 0, bytes, 0, 0, 0, 0, name, 0];
    archive.extend_from_slice(b"070701");
    for field in fields {
        archive.extend_from_slice(format!("{field:08x}").as_bytes());
    }
    archive.extend_from_slice(member.path.as_bytes());
    archive.push(0);
    pad(archive);
    archive.extend_from_slice(member.bytes);
    pad(archive);
    Ok(())
}

fn pad(archive: &mut Vec<u8>) {
    archive.resize(archive.len().next_multiple_of(4), 0);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_archive_is_as_the_kernel_wants_it() {
        let mut contents = Contents::new();
        contents.program("init", "#!/bin/sh\n");
        let archive = archive(&contents).unwrap();
        let header = "070701\
            00000001000081ed0000000000000000000000010000000\
            00000000a00000000000000000000000000000000\
            0000000500000000init\0\0#!/bin/sh\n\0\x00070701";
        assert_eq!(String::from_utf8_lossy(&archive[..header.len()]), header);
        assert_eq!(archive.len() % 4, 0);
        assert!(archive.ends_with(b"TRAILER!!!\0\0\0\0"));
    }
}
