//! A draft as the text of an inventory: settings with their notes, hosts, and at the end what was not carried over.

use serde_json::{Value, json};

use super::draft::{At, Draft, HostDraft, NEEDLESS, NotCarried, Setting, UNKNOWN};
use super::scalar;
use crate::cluster::Taint;

/// Columns of a line of comments.
const WIDTH: usize = 118;

/// Characters of a list or a host on one line.
const FLOW: usize = 110;

/// The sections of `spec`, in the order in which people read them.
const SECTIONS: [&str; 9] = ["image", "ssh", "endpoint", "network", "etcd", "controlPlane", "kubelet", "pki", "kernel"];

/// What a cluster image is called until somebody has one.
pub(in crate::migrate) const IMAGE: &str = "oci:images/kubernetes";

/// The inventory, whether it is valid or not.
pub(in crate::migrate) fn inventory(draft: &Draft, name: &str) -> String {
    let mut out = head(draft);
    out.push_str("apiVersion: kubewright.dev/v1alpha1\nkind: Cluster\nmetadata:\n");
    out.push_str("  # Also names the local directory with the cluster's keys: do not change it later.\n");
    out.push_str(&format!("  name: {}\nspec:\n", scalar::write(name)));
    let mut settings: Vec<&Setting> = draft.settings.iter().collect();
    let section = |setting: &Setting| {
        let section = setting.field.split('.').next();
        SECTIONS.iter().position(|name| Some(*name) == section).unwrap_or(SECTIONS.len())
    };
    settings.sort_by_key(|setting| section(setting));
    let paths: Vec<(&str, &Setting)> = settings.iter().map(|setting| (setting.field, *setting)).collect();
    tree(&paths, 1, &mut out);
    out.push_str("  hosts:\n");
    draft.hosts.iter().for_each(|host| self::host(host, &mut out));
    out.push_str(&not_carried(draft));
    out
}

/// What somebody who sends the inventory to a file has to know, in few lines.
pub(in crate::migrate) fn summary(draft: &Draft) -> String {
    let (hosts, changes) = (draft.hosts.len(), changes(draft));
    let mut out = format!("{hosts} host{} of {} ({})", plural(hosts), draft.tool.name, draft.from);
    if changes > 0 {
        out.push_str(&format!("; {changes} line{} CHANGE ME", if changes == 1 { " says" } else { "s say" }));
    }
    out.push('\n');
    if draft.not_carried.is_empty() {
        out.push_str("everything was carried over\n");
        return out;
    }
    out.push_str("not carried over (the end of the inventory has the places):\n");
    for NotCarried { keys, why } in sorted(draft) {
        let names: Vec<&str> = keys.iter().take(3).map(|(key, _)| key.as_str()).collect();
        let more = if keys.len() > 3 { format!(" and {} more", keys.len() - 3) } else { String::new() };
        match why.as_str() {
            NEEDLESS => out.push_str(&format!("  {} more, {NEEDLESS}\n", keys.len())),
            why => out.push_str(&format!("  {}{more}: {why}\n", clean(&names.join(", ")))),
        }
    }
    out
}

/// How many lines say CHANGE ME.
fn changes(draft: &Draft) -> usize {
    let settings = draft.settings.iter().filter(|setting| setting.change_me.is_some()).count();
    settings + draft.hosts.iter().filter(|host| host.change_me.is_some()).count()
}

fn plural(count: usize) -> &'static str {
    if count == 1 { "" } else { "s" }
}

fn head(draft: &Draft) -> String {
    let tool = draft.tool;
    let from =
        format!("Made from {} ({}) by `kubewright init --from`. Read it before you use it.", tool.name, draft.from);
    let bare = format!(
        "kubewright installs on bare hosts, and takes over no cluster that runs: `preflight` refuses hosts on which another \
         one runs or has left data. Use new hosts, or take these out of their cluster first ({}), once what it holds is \
         saved elsewhere.",
        tool.reset
    );
    let mut out = comment("# ", "# ", &from) + &comment("# ", "# ", &bare);
    if changes(draft) > 0 {
        out.push_str("# Lines that say CHANGE ME want a decision.\n");
    }
    if !draft.not_carried.is_empty() {
        out.push_str("# What was not carried over stands at the end.\n");
    }
    out
}

fn not_carried(draft: &Draft) -> String {
    if draft.not_carried.is_empty() {
        return String::new();
    }
    let mut out = format!("\n# Not carried over from {}:\n", draft.tool.name);
    for NotCarried { keys, why } in sorted(draft) {
        let text = match why.as_str() {
            NEEDLESS => {
                let names: Vec<&str> = keys.iter().map(|(key, _)| key.as_str()).collect();
                format!("{} more, {NEEDLESS}: {}", keys.len(), names.join(", "))
            }
            why => format!("{}: {why}", places(keys, draft.base.as_deref())),
        };
        out.push_str(&comment("# - ", "#   ", &text));
    }
    out
}

/// What somebody has to do something about comes first, and what loses nothing last.
fn sorted(draft: &Draft) -> Vec<&NotCarried> {
    let mut sorted: Vec<&NotCarried> = draft.not_carried.iter().collect();
    sorted.sort_by_key(|left| match left.why.as_str() {
        NEEDLESS => 2,
        UNKNOWN => 1,
        _ => 0,
    });
    sorted
}

/// Keys with where they are: those of one file together.
fn places(keys: &[(String, At)], base: Option<&str>) -> String {
    let mut files: Vec<(&str, Vec<&str>, Vec<String>)> = Vec::new();
    for (key, at) in keys {
        let (file, line) = at.below(base);
        let line = line.map(|line| line.to_string());
        match files.last_mut().filter(|(other, ..)| *other == file) {
            Some((_, names, lines)) => {
                names.push(key);
                lines.extend(line.filter(|line| lines.last() != Some(line)));
            }
            None => files.push((file, vec![key], line.into_iter().collect())),
        }
    }
    let files = files.iter().map(|(file, names, lines)| match lines.as_slice() {
        [] if names.iter().all(|name| name == file) => (*file).to_owned(),
        [] => format!("{} ({file})", names.join(", ")),
        lines => format!("{} ({file}:{})", names.join(", "), lines.join(",")),
    });
    files.collect::<Vec<_>>().join(", ")
}

/// Settings whose fields have the same first key stand together below it.
fn tree(settings: &[(&str, &Setting)], depth: usize, out: &mut String) {
    let indent = "  ".repeat(depth);
    let mut done: Vec<&str> = Vec::new();
    for (path, setting) in settings {
        let Some((first, _)) = path.split_once('.') else {
            leaf(path, setting, &indent, out);
            continue;
        };
        if done.contains(&first) {
            continue;
        }
        done.push(first);
        let below = settings.iter().filter_map(|(path, setting)| {
            let (key, rest) = path.split_once('.')?;
            (key == first).then_some((rest, *setting))
        });
        out.push_str(&format!("{indent}{first}:\n"));
        tree(&below.collect::<Vec<_>>(), depth + 1, out);
    }
}

fn leaf(key: &str, setting: &Setting, indent: &str, out: &mut String) {
    if let Some(change) = &setting.change_me {
        let prefix = format!("{indent}# ");
        out.push_str(&comment(&prefix, &prefix, &format!("CHANGE ME: {change}")));
    }
    let note = setting.note.as_ref().map_or_else(String::new, |note| format!("   # {}", clean(note)));
    let flow = scalar::flow(&setting.value);
    match &setting.value {
        Value::Array(items) if flow.len() > FLOW => {
            out.push_str(&format!("{indent}{key}:{note}\n"));
            items.iter().for_each(|item| out.push_str(&format!("{indent}  - {}\n", scalar::flow(item))));
        }
        Value::Object(entries) if flow.len() > FLOW => {
            out.push_str(&format!("{indent}{key}:{note}\n"));
            for (key, value) in entries {
                out.push_str(&format!("{indent}  {}: {}\n", scalar::write(key), scalar::flow(value)));
            }
        }
        _ => out.push_str(&format!("{indent}{key}: {flow}{note}\n")),
    }
}

fn host(host: &HostDraft, out: &mut String) {
    if let Some(change) = &host.change_me {
        out.push_str(&comment("    # ", "    # ", &format!("CHANGE ME: {change}")));
    }
    let roles: Vec<&str> = host.roles.iter().map(|role| role.as_str()).collect();
    let mut fields = vec![("name", scalar::write(&host.name))];
    fields.extend(host.address.as_ref().map(|address| ("address", scalar::write(address))));
    fields.push(("roles", format!("[{}]", roles.join(", "))));
    fields.extend(host.idc.as_ref().map(|idc| ("idc", scalar::write(idc))));
    fields.extend(host.rack.as_ref().map(|rack| ("rack", scalar::write(rack))));
    if !host.labels.is_empty() {
        fields.push(("labels", scalar::flow(&json!(host.labels))));
    }
    if !host.taints.is_empty() {
        fields.push(("taints", format!("[{}]", host.taints.iter().map(taint).collect::<Vec<_>>().join(", "))));
    }
    if !host.login.is_empty() {
        fields.push(("ssh", scalar::flow(&json!(host.login))));
    }
    let fields: Vec<String> = fields.iter().map(|(key, value)| format!("{key}: {value}")).collect();
    let line = format!("    - {{{}}}\n", fields.join(", "));
    if line.chars().count() <= WIDTH {
        out.push_str(&line);
        return;
    }
    for (index, field) in fields.iter().enumerate() {
        out.push_str(&format!("    {} {field}\n", if index == 0 { "-" } else { " " }));
    }
}

fn taint(taint: &Taint) -> String {
    let value = match taint.value.as_str() {
        "" => String::new(),
        value => format!("value: {}, ", scalar::write(value)),
    };
    format!("{{key: {}, {value}effect: {}}}", scalar::write(taint.key.as_str()), scalar::flow(&json!(taint.effect)))
}

/// Text as lines of a comment.
fn comment(first: &str, next: &str, text: &str) -> String {
    let mut lines = vec![first.to_owned()];
    for word in clean(text).split(' ') {
        let begun = lines.last().is_some_and(|line| line.len() > next.len());
        let length = lines.last().map_or(0, |line| line.chars().count());
        match lines.last_mut() {
            Some(line) if !begun => line.push_str(word),
            Some(line) if length + 1 + word.chars().count() <= WIDTH => line.push_str(&format!(" {word}")),
            _ => lines.push(format!("{next}{word}")),
        }
    }
    lines.iter().map(|line| format!("{}\n", line.trim_end())).collect()
}

/// Text of the source in one line, without what would end a comment or move a cursor.
fn clean(text: &str) -> String {
    text.chars()
        .map(|c| if c.is_control() || matches!(c, '\u{2028}' | '\u{2029}' | '\u{85}') { ' ' } else { c })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn comments_stay_comments() {
        let text = comment("# - ", "#   ", &format!("a\nb: {}", "word ".repeat(40)));
        assert!(text.lines().all(|line| line.starts_with('#') && line.chars().count() <= WIDTH), "{text}");
        assert!(text.lines().count() > 1);
        assert_eq!(comment("# ", "# ", &"x".repeat(200)), format!("# {}\n", "x".repeat(200)));
    }
}
