//! Renders the templates under `manifests/`, strictly: what is undefined, none, a list, a map or of more than one line
//! is an error when it is printed, never an empty or odd text in a file that a daemon reads.

use minijinja::syntax::SyntaxConfig;
use minijinja::value::{Value, ValueKind};
use minijinja::{AutoEscape, Environment, Error, ErrorKind, UndefinedBehavior};

/// A template that could not be rendered. Never shows the values, which may be secret.
#[derive(Debug, thiserror::Error)]
#[error("rendering {template}, line {line}: {message}; this is a defect of kubewright or of the inventory's values")]
pub struct RenderError {
    /// Name of the template.
    pub template: String,
    /// Line in it; 0 when unknown.
    pub line: usize,
    /// What is wrong.
    pub message: String,
}

macro_rules! templates {
    ($($name:literal),* $(,)?) => {
        /// Name and text of every template.
        const TEMPLATES: &[(&str, &str)] = &[$(($name, include_str!(concat!("../../manifests/", $name)))),*];
    };
}

templates![
    "calico-config.yaml.j2",
    "calico-controllers.yaml.j2",
    "calico-node.yaml.j2",
    "calico-typha.yaml.j2",
    "cni.conflist.j2",
    "containerd-v2.toml.j2",
    "containerd-v3.toml.j2",
    "containerd.service.j2",
    "coredns-config.j2",
    "coredns.yaml.j2",
    "dns-autoscaler.yaml.j2",
    "etcd-bootstrap.env.j2",
    "etcd.env.j2",
    "etcd.service.j2",
    "haproxy.cfg.j2",
    "irqbalance.conf.j2",
    "keepalived-check.sh.j2",
    "keepalived.conf.j2",
    "kube-apiserver.yaml.j2",
    "kube-controller-manager.yaml.j2",
    "kube-haproxy.yaml.j2",
    "kube-keepalived.yaml.j2",
    "kube-proxy-config.yaml.j2",
    "kube-proxy-kubeconfig.yaml.j2",
    "kube-proxy.yaml.j2",
    "kube-scheduler.yaml.j2",
    "kubelet-config.yaml.j2",
    "kubelet.service.j2",
    "kubewright-routes.service.j2",
    "kubewright-snapshot.service.j2",
    "kubewright-snapshot.timer.j2",
    "kubewright-tune.service.j2",
    "kubewright-tune@.service.j2",
    "kubewright-untracked.service.j2",
    "kubewright.rules.j2",
    "node-local-dns-config.j2",
    "node-local-dns.yaml.j2",
    "rbac.yaml.j2",
];

/// Renders the template called `name` with `values`.
pub(super) fn render(name: &str, values: Value) -> Result<String, RenderError> {
    let text = TEMPLATES.iter().find(|(known, _)| *known == name).map(|(_, text)| *text);
    let text = text.ok_or_else(|| RenderError {
        template: name.to_owned(),
        line: 0,
        message: "there is no such template".to_owned(),
    })?;
    render_text(name, text, values).map_err(|error| RenderError {
        template: name.to_owned(),
        line: error.line().unwrap_or(0),
        message: error
            .detail()
            .map_or_else(|| error.kind().to_string(), |detail| format!("{}: {detail}", error.kind())),
    })
}

fn render_text(name: &str, text: &str, values: Value) -> Result<String, Error> {
    let mut environment = environment()?;
    environment.set_formatter(|out, _, value| Ok(out.write_str(&printable(value)?)?));
    environment.template_from_named_str(name, text)?.render(values)
}

/// What all templates have in common but how values are printed.
pub(super) fn environment() -> Result<Environment<'static>, Error> {
    let mut environment = Environment::new();
    environment.set_debug(false);
    environment.set_undefined_behavior(UndefinedBehavior::Strict);
    environment.set_auto_escape_callback(|_| AutoEscape::None);
    let mut syntax = SyntaxConfig::builder();
    environment.set_syntax(syntax.trim_blocks(true).lstrip_blocks(true).keep_trailing_newline(true).build()?);
    environment.add_filter("quoted", quoted);
    environment.add_filter("indented", indented);
    environment.add_filter("systemd", systemd);
    Ok(environment)
}

fn refused(message: String) -> Error {
    Error::new(ErrorKind::BadSerialization, message)
}

/// The text of a value that may stand in a file as it is.
pub(super) fn printable(value: &Value) -> Result<String, Error> {
    if value.is_safe() {
        return Ok(value.to_string());
    }
    match value.kind() {
        // As the rest of the world writes them, not as Python does.
        ValueKind::Bool => Ok(if value.is_true() { "true" } else { "false" }.to_owned()),
        ValueKind::Number => Ok(value.to_string()),
        ValueKind::String => {
            let text = value.to_string();
            match text.chars().find(|c| c.is_control()) {
                Some(control) => Err(refused(format!("a value contains {control:?}; quote or indent it"))),
                None => Ok(text),
            }
        }
        kind => Err(refused(format!("a value is {kind}; only booleans, numbers and strings can be printed"))),
    }
}

/// JSON, which is YAML too, and for texts a basic string of TOML.
fn quoted(value: &Value) -> Result<Value, Error> {
    if value.is_undefined() || value.is_none() {
        return Err(refused(format!("a value is {}; it cannot be quoted", value.kind())));
    }
    let text = serde_json::to_string(value).map_err(|error| refused(format!("a value cannot be quoted: {error}")))?;
    Ok(Value::from_safe_string(text))
}

/// A text of several lines, each behind `width` blanks: the content of a YAML block scalar.
pub(super) fn indented(text: &str, width: usize) -> Value {
    let blanks = " ".repeat(width);
    let lines = text.lines().map(|line| if line.is_empty() { String::new() } else { format!("{blanks}{line}") });
    Value::from_safe_string(lines.collect::<Vec<_>>().join("\n"))
}

/// One word of a systemd command line or assignment.
fn systemd(value: &Value) -> Result<Value, Error> {
    let text = printable(value)?.replace('%', "%%").replace('$', "$$");
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_=./,:@+%$[]*!~".contains(c);
    if !text.is_empty() && text.chars().all(plain) {
        return Ok(Value::from_safe_string(text));
    }
    Ok(Value::from_safe_string(format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\""))))
}

#[cfg(test)]
mod tests {
    use minijinja::context;

    use super::*;

    fn text(template: &str, values: Value) -> Result<String, String> {
        render_text("test.conf.j2", template, values).map_err(|error| format!("{error}"))
    }

    #[test]
    fn what_cannot_stand_in_a_file_is_refused() {
        let values = context! { none => (), list => vec!["a"], map => context! { a => 1 }, lines => "a\nb", a => "x" };
        for template in [
            "{{ missing }}",
            "{{ a.missing }}",
            "{% if missing %}x{% endif %}",
            "{% for x in missing %}x{% endfor %}",
            "{{ missing | quoted }}",
            "{{ missing | systemd }}",
            "{{ none }}",
            "{{ none | quoted }}",
            "{{ list }}",
            "{{ map }}",
            "{{ lines }}",
            "{{ lines | systemd }}",
        ] {
            assert!(text(template, values.clone()).is_err(), "{template}");
        }
    }

    #[test]
    fn the_message_names_the_kind_but_not_the_value() {
        let values = context! { token => vec!["hunter2"], lines => "hunter2\n" };
        for template in ["\n{{ token }}", "{{ lines }}", "{{ token + 1 }}"] {
            let error = text(template, values.clone()).unwrap_err();
            assert!(!error.contains("hunter2"), "{error}");
        }
    }

    #[test]
    fn what_is_printed_looks_as_daemons_want_it() {
        let values = context! { yes => true, no => false, number => 5, text => "a: b\n# c", dollar => "a $b %c \"d\"" };
        for (template, expected) in [
            ("{{ yes }} {{ no }} {{ number }}\n", "true false 5\n"),
            ("{{ text | quoted }}", r##""a: b\n# c""##),
            ("{{ ['a<b>&', yes] | quoted }}", r#"["a<b>&",true]"#),
            ("{{ number | quoted }}", "5"),
            ("x: |\n{{ text | indented(2) }}\n", "x: |\n  a: b\n  # c\n"),
            ("{{ dollar | systemd }}", r#""a $$b %%c \"d\"""#),
            ("{{ '--a=b/c' | systemd }}", "--a=b/c"),
            ("{{ '' | systemd }}", r#""""#),
            ("a\n{% if yes %}\nb\n{% endif %}\nc\n", "a\nb\nc\n"),
        ] {
            assert_eq!(text(template, values.clone()).as_deref(), Ok(expected), "{template}");
        }
    }

    #[test]
    fn every_file_of_the_directory_is_a_template() {
        let directory = concat!(env!("CARGO_MANIFEST_DIR"), "/manifests");
        let names =
            std::fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
        let mut names: Vec<String> = names.collect();
        names.sort_unstable();
        assert_eq!(names, TEMPLATES.iter().map(|(name, _)| *name).collect::<Vec<_>>());
    }

    #[test]
    fn every_template_compiles_and_an_unknown_one_is_an_error() {
        for (name, text) in TEMPLATES {
            let mut environment = Environment::new();
            environment.add_template(name, text).unwrap();
            assert!(text.ends_with('\n'), "{name}");
        }
        assert!(render("nothing.j2", Value::from(())).unwrap_err().to_string().contains("no such template"));
    }
}
