//! One-line sabotages, each of which a named test must catch. They stand in xtask/mutants/*.txt
//! and are tried in a copy of the tree, so the tree itself is never touched.

mod list;
mod trial;

use crate::tree;
use anyhow::{Context, Result, bail};
use list::Mutant;
use std::collections::BTreeSet;
use std::time::Instant;
use trial::{Copy, Verdict};

/// Tries all, or those named.
pub(crate) fn run(names: &[String]) -> Result<()> {
    let mutants = chosen(list::read()?, names)?;
    let copy = Copy::refresh(&tree::target()?.join("mutants"))?;
    let checks: BTreeSet<&list::Check> = mutants.iter().map(|mutant| &mutant.check).collect();
    for check in checks {
        let start = Instant::now();
        copy.must_pass(check)?;
        println!("{:6.1} s  passes unharmed: {}", start.elapsed().as_secs_f64(), check.name);
    }
    let mut missed = Vec::new();
    for mutant in &mutants {
        let start = Instant::now();
        let verdict = copy.attempt(mutant).with_context(|| format!("mutant {}", mutant.name))?;
        println!("{:6.1} s  {verdict}: {}", start.elapsed().as_secs_f64(), mutant.name);
        if verdict == Verdict::Missed {
            missed.push(mutant.name.as_str());
        }
    }
    if !missed.is_empty() {
        bail!("{} of {} not caught: {}", missed.len(), mutants.len(), missed.join(", "));
    }
    println!("all {} mutants caught", mutants.len());
    Ok(())
}

fn chosen(mutants: Vec<Mutant>, names: &[String]) -> Result<Vec<Mutant>> {
    if let Some(name) = names.iter().find(|name| !mutants.iter().any(|one| one.name == **name)) {
        bail!("no mutant is called {name}");
    }
    let wanted = |one: &Mutant| names.is_empty() || names.contains(&one.name);
    Ok(mutants.into_iter().filter(wanted).collect())
}
