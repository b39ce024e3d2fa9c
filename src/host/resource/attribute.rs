//! Files of sysfs: what the kernel forgets at a reboot and is told again then.

use std::fs;

use super::super::machine::{Machine, STATE, found};
use super::super::protocol::{Action, Failure};
use super::originals::remember;
use super::{Context, Observe, Observed, Pending};
use crate::desired::state::Attribute;

/// Values as they were before the first change, by path.
pub(in crate::host) fn before() -> String {
    format!("{STATE}/attributes-before")
}

impl Observe for Attribute {
    fn observe<'a>(&'a self, cx: &Context) -> Observed<'a> {
        let mut differ: Vec<(String, String)> = Vec::new();
        for path in matching(&cx.machine, &self.path)? {
            let now = match read(&cx.machine, &path)? {
                Some(now) => now,
                // What there is none of cannot be set, and where it was asked for that matters. Of many, some may lack it.
                None if self.required && !self.path.contains('*') => "absent".to_owned(),
                None => continue,
            };
            let good = now == self.value || self.accepts.contains(&now);
            if !good && (self.required || offers(&cx.machine, &path, &self.value)?) {
                differ.push((path, now));
            }
        }
        let Some((_, first)) = differ.first() else { return Ok(Vec::new()) };
        let many = if differ.len() == 1 { String::new() } else { format!(" ({} files)", differ.len()) };
        let summary = format!("{first} → {}{many}", self.value);
        let cause = format!("{} changed", self.path);
        for unit in &self.restarts {
            cx.will_owe(unit, &cause);
        }
        Ok(vec![Pending::new(format!("attribute {}", self.path), Action::Update, summary, move |cx| {
            remember(cx, &before(), &differ)?;
            for unit in &self.restarts {
                cx.note(unit, &cause)?;
            }
            let failed = |(path, _): &(String, String)| write(&cx.machine, path, &self.value).err();
            let failures = differ.iter().filter_map(failed).map(|failure| failure.hint(&self.hint)).collect();
            Failure::all(failures).map_or(Ok(()), Err)
        })])
    }
}

/// Paths that a pattern with at most one `*` stands for.
fn matching(machine: &Machine, pattern: &str) -> Result<Vec<String>, Failure> {
    let Some((before, after)) = pattern.split_once('*') else { return Ok(vec![pattern.to_owned()]) };
    let (directory, prefix) = before.rsplit_once('/').unwrap_or(("", before));
    let (suffix, rest) = after.split_at(after.find('/').unwrap_or(after.len()));
    let names = machine.names(directory)?.into_iter();
    let fits = |name: &String| {
        name.strip_prefix(prefix).and_then(|name| name.strip_suffix(suffix)).is_some_and(|middle| !middle.is_empty())
    };
    Ok(names.filter(fits).map(|name| format!("{directory}/{name}{rest}")).collect())
}

/// What a file holds; of a choice, as `always [madvise] never` is one, what is chosen.
fn read(machine: &Machine, path: &str) -> Result<Option<String>, Failure> {
    let text = found(fs::read_to_string(machine.root.at(path)));
    let text = text.map_err(|error| Failure::new(format!("reading {path}"), error))?;
    Ok(text.map(|text| {
        let chosen = text.split_whitespace().find_map(|word| word.strip_prefix('[')?.strip_suffix(']'));
        chosen.unwrap_or(text.trim()).to_owned()
    }))
}

/// Whether the kernel knows `value`, where it tells which ones it does.
fn offers(machine: &Machine, path: &str, value: &str) -> Result<bool, Failure> {
    let list = match path.strip_suffix("scaling_governor") {
        Some(directory) => format!("{directory}scaling_available_governors"),
        None => path.to_owned(),
    };
    let text = machine.text(&list)?.unwrap_or_default();
    let mut words = text.split_whitespace().map(|word| word.trim_matches(['[', ']']));
    Ok(words.any(|word| word == value))
}

/// Writes a value and reads it back.
fn write(machine: &Machine, path: &str, value: &str) -> Result<(), Failure> {
    let name = format!("writing {value} to {path}");
    fs::write(machine.root.at(path), value).map_err(|error| Failure::new(&name, error))?;
    match read(machine, path)? {
        Some(now) if now == value => Ok(()),
        now => {
            let now = now.unwrap_or_else(|| "nothing".into());
            Err(Failure::new(name, format!("the kernel took it without an error but says {now:?} afterwards")))
        }
    }
}

/// Writes a value back, unless the file is gone.
pub(in crate::host) fn bring_back(machine: &Machine, path: &str, value: &str) -> Result<(), Failure> {
    if read(machine, path)?.is_some() { write(machine, path, value) } else { Ok(()) }
}

#[cfg(test)]
mod tests {
    use super::super::super::testing::Scripted;
    use super::super::observe;
    use super::*;
    use crate::desired::state::Resource;

    const GOVERNOR: &str = "/sys/devices/system/cpu/cpu*/cpufreq/scaling_governor";

    fn attribute(path: &str, value: &str, accepts: &[&str]) -> Resource {
        Resource::Attribute(Attribute {
            path: path.into(),
            value: value.into(),
            accepts: accepts.iter().map(|value| (*value).to_owned()).collect(),
            required: true,
            hint: "do this".into(),
            restarts: Vec::new(),
        })
    }

    #[test]
    fn every_file_of_a_pattern_is_set_and_remembered() {
        let host = Scripted::new();
        for cpu in ["cpu0", "cpu1"] {
            host.put(&format!("/sys/devices/system/cpu/{cpu}/cpufreq/scaling_governor"), "powersave\n");
        }
        // Neither a CPU nor one that changes its frequency.
        host.put("/sys/devices/system/cpu/cpu2/online", "1\n");
        host.put("/sys/devices/system/cpu/cpufreq/boost", "1\n");
        let resource = attribute(GOVERNOR, "performance", &[]);
        let cx = Context::new(&host.machine, &[]).unwrap();
        let pending = observe(&resource, &cx).unwrap();
        assert_eq!(pending[0].change.summary, "powersave → performance (2 files)");
        for one in pending {
            (one.mend)(&cx).unwrap();
        }
        assert_eq!(host.get("/sys/devices/system/cpu/cpu1/cpufreq/scaling_governor"), "performance");
        assert!(observe(&resource, &cx).unwrap().is_empty());
        assert_eq!(super::super::originals::parse(&host.get(&before())).len(), 2);
        assert!(host.get(&before()).lines().all(|line| line.ends_with(" powersave")));
    }

    #[test]
    fn a_governor_that_nobody_asked_for_by_name_may_be_missing() {
        let host = Scripted::new();
        host.put("/sys/devices/system/cpu/cpu0/cpufreq/scaling_governor", "schedutil\n");
        host.put("/sys/devices/system/cpu/cpu0/cpufreq/scaling_available_governors", "schedutil powersave \n");
        let cx = Context::new(&host.machine, &[]).unwrap();
        let Resource::Attribute(asked) = attribute(GOVERNOR, "performance", &[]) else { unreachable!() };
        let usual = Attribute { required: false, ..asked.clone() };
        assert_eq!((asked.observe(&cx).unwrap().len(), usual.observe(&cx).unwrap().len()), (1, 0));
        host.put("/sys/devices/system/cpu/cpu0/cpufreq/scaling_available_governors", "performance schedutil \n");
        assert_eq!(usual.observe(&cx).unwrap().len(), 1);
    }

    #[test]
    fn a_choice_is_read_and_what_is_as_good_stays() {
        let host = Scripted::new();
        let path = "/sys/kernel/mm/transparent_hugepage/enabled";
        let cx = Context::new(&host.machine, &[]).unwrap();
        let changes = |value: &str, accepts: &[&str]| observe(&attribute(path, value, accepts), &cx).unwrap().len();
        let Resource::Attribute(asked) = attribute(path, "madvise", &[]) else { unreachable!() };
        let usual = Attribute { required: false, ..asked.clone() };
        assert!(usual.observe(&cx).unwrap().is_empty(), "this kernel has none");
        assert_eq!(asked.observe(&cx).unwrap()[0].change.summary, "absent → madvise", "and it was asked for");
        host.put(path, "always madvise [never]\n");
        assert_eq!(changes("madvise", &["never"]), 0);
        assert_eq!(changes("madvise", &[]), 1);
    }

    #[test]
    fn a_value_that_does_not_stick_is_an_error_with_its_hint() {
        let host = Scripted::new();
        let path = "/sys/kernel/mm/hugepages/hugepages-1048576kB/nr_hugepages";
        host.put(path, "0\n");
        let resource = attribute(path, "[4] of 8", &[]);
        let cx = Context::new(&host.machine, &[]).unwrap();
        let failure = (observe(&resource, &cx).unwrap().remove(0).mend)(&cx).unwrap_err();
        assert!(failure.why.contains("says \"4\" afterwards"), "{failure}");
        assert_eq!(failure.hint.as_deref(), Some("do this"));
    }
}
