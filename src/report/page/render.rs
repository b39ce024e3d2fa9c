//! The page from its template: everything is escaped but the style sheet, which is part of this program, and what is
//! undefined is an error.

use minijinja::syntax::SyntaxConfig;
use minijinja::value::{Serde, Value, ValueKind};
use minijinja::{AutoEscape, Environment, Error, ErrorKind, UndefinedBehavior, context, escape_formatter};

use super::Page;

const TEMPLATE: &str = include_str!("page.html");
const STYLE: &str = include_str!("style.css");

pub(super) fn html(page: &Page) -> Result<String, Error> {
    let mut environment = Environment::new();
    environment.set_debug(false);
    environment.set_undefined_behavior(UndefinedBehavior::Strict);
    environment.set_auto_escape_callback(|_| AutoEscape::Html);
    environment
        .set_syntax(SyntaxConfig::builder().trim_blocks(true).lstrip_blocks(true).keep_trailing_newline(true).build()?);
    environment.set_formatter(|out, state, value| match value.kind() {
        ValueKind::String | ValueKind::Number => escape_formatter(out, state, value),
        kind => Err(Error::new(ErrorKind::BadSerialization, format!("a value of the page is {kind}"))),
    });
    let page = Value::from(Serde(page));
    let template = environment.template_from_named_str("page.html", TEMPLATE)?;
    template.render(context! { page, style => Value::from_safe_string(STYLE.to_owned()) })
}
