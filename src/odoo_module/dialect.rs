//! From 19.0's dialect to an older series' one.
//!
//! - In XML, `<!-- if series >= 17.0 -->` … `<!-- else -->` … `<!-- end -->` keeps or drops what is between, `<` likewise;
//!   one block can't stand in another.
//! - Up to 17.0 a list view is a "tree": the element and the steps of an `expr` that name it, the view modes, the `type` of
//!   a view, the `mode` of a field, `list_view_ref`. Not `binding_view_types`, which says "list" in every series.
//! - The manifest's version begins with the series.

use super::Series;

/// What is wrong with the source, and where.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// Which line, from 1.
    pub line: usize,
    /// What.
    pub text: String,
}

/// The manifest for a series.
pub fn manifest(source: &str, series: Series) -> Result<String, Problem> {
    let (start, version) = version(source)?;
    let newest = format!("{}.", Series::NEWEST);
    let Some(own) = version.strip_prefix(&newest) else {
        return Err(problem(source, start, format!("the version must begin with {newest}")));
    };
    let end = start + version.len();
    Ok(format!("{}{series}.{own}{}", &source[..start], &source[end..]))
}

/// The version that a manifest gives, and where it stands.
pub fn version(manifest: &str) -> Result<(usize, &str), Problem> {
    const KEY: &str = "\"version\": \"";
    let missing = || problem(manifest, 0, format!("there is no {KEY}…\""));
    let start = manifest.find(KEY).ok_or_else(missing)? + KEY.len();
    let length = manifest[start..].find('"').ok_or_else(missing)?;
    Ok((start, &manifest[start..start + length]))
}

/// An XML file for a series.
pub fn xml(source: &str, series: Series) -> Result<String, Problem> {
    let kept = keep(source, series)?;
    if series <= Series::LAST_WITH_TREE { rename_lists(&kept) } else { Ok(kept) }
}

fn problem(source: &str, at: usize, text: impl Into<String>) -> Problem {
    Problem { line: source[..at].matches('\n').count() + 1, text: text.into() }
}

// Blocks.

enum Mark {
    If(bool),
    Else,
    End,
}

/// What a comment says of blocks; `None`: it is for people.
fn mark(comment: &str, series: Series) -> Result<Option<Mark>, String> {
    let words: Vec<&str> = comment.split_whitespace().collect();
    match words[..] {
        ["else"] => Ok(Some(Mark::Else)),
        ["end"] => Ok(Some(Mark::End)),
        ["if", "series", operator @ (">=" | "<"), version] => {
            let number = version.strip_suffix(".0").and_then(|number| number.parse::<u8>().ok());
            let number = number.ok_or_else(|| format!("{version} is no series"))?;
            Ok(Some(Mark::If((operator == "<") == (series.0 < number))))
        }
        ["if", "series", ..] => {
            Err("a block begins with <!-- if series >= 17.0 --> or <!-- if series < 17.0 -->".to_owned())
        }
        ["endif" | "elif" | "elsif", ..] | ["else" | "end", "if", ..] => {
            Err("a block goes on with <!-- else --> and ends with <!-- end -->".to_owned())
        }
        _ => Ok(None),
    }
}

/// Drops the blocks that are for other series, and the comments that say so.
fn keep(source: &str, series: Series) -> Result<String, Problem> {
    struct Block {
        start: usize,
        keeps: bool,
        has_else: bool,
    }
    let mut out = String::with_capacity(source.len());
    let mut block: Option<Block> = None;
    let (mut written, mut at) = (0, 0);
    while let Some(found) = source[at..].find("<!") {
        let start = at + found;
        let rest = &source[start..];
        if let Some(data) = rest.strip_prefix("<![CDATA[") {
            at = source.len() - data.len()
                + data.find("]]>").ok_or_else(|| problem(source, start, "<![CDATA[ is not closed"))?;
            continue;
        }
        let Some(comment) = rest.strip_prefix("<!--") else {
            at = start + 2;
            continue;
        };
        let length = comment.find("-->").ok_or_else(|| problem(source, start, "the comment is not closed"))?;
        let end = start + "<!--".len() + length + "-->".len();
        at = end;
        let Some(mark) = mark(&comment[..length], series).map_err(|text| problem(source, start, text))? else {
            continue;
        };
        let (from, to) = line_or_self(source, start, end);
        if block.as_ref().is_none_or(|block| block.keeps) {
            out.push_str(&source[written..from]);
        }
        written = to;
        match (mark, &mut block) {
            (Mark::If(keeps), None) => block = Some(Block { start, keeps, has_else: false }),
            (Mark::If(_), Some(outer)) => {
                let line = problem(source, outer.start, "").line;
                return Err(problem(
                    source,
                    start,
                    format!("a block can't stand in another, which began in line {line}"),
                ));
            }
            (Mark::Else, Some(block)) if !block.has_else => {
                (block.keeps, block.has_else) = (!block.keeps, true);
            }
            (Mark::Else, Some(_)) => return Err(problem(source, start, "the block has an else already")),
            (Mark::End, Some(_)) => block = None,
            (Mark::Else | Mark::End, None) => return Err(problem(source, start, "no block begins before this")),
        }
    }
    if let Some(block) = block {
        return Err(problem(source, block.start, "the block is not closed: <!-- end --> is missing"));
    }
    out.push_str(&source[written..]);
    Ok(out)
}

/// The whole line if nothing else stands in it.
fn line_or_self(source: &str, start: usize, end: usize) -> (usize, usize) {
    let from = source[..start].rfind('\n').map_or(0, |at| at + 1);
    let to = source[end..].find('\n').map_or(source.len(), |at| end + at + 1);
    let alone = source[from..start].trim().is_empty() && source[end..to].trim().is_empty();
    if alone { (from, to) } else { (start, end) }
}

// Lists.

/// Calls a list view a tree.
fn rename_lists(source: &str) -> Result<String, Problem> {
    let mut out = String::with_capacity(source.len());
    let mut at = 0;
    // Whether the text that comes next is the content of a field that names kinds of views.
    let mut names_views = false;
    while at < source.len() {
        let rest = &source[at..];
        let skipped =
            [("<!--", "-->"), ("<![CDATA[", "]]>"), ("<?", "?>")].into_iter().find(|(open, _)| rest.starts_with(open));
        if let Some((open, close)) = skipped {
            let length =
                rest.find(close).ok_or_else(|| problem(source, at, format!("{open} is not closed")))? + close.len();
            out.push_str(&rest[..length]);
            at += length;
        } else if rest.starts_with('<') {
            let length = tag_length(rest).ok_or_else(|| problem(source, at, "the tag is not closed"))?;
            names_views = rename_in_tag(&rest[..length], &mut out);
            at += length;
        } else {
            let length = rest.find('<').unwrap_or(rest.len());
            let text = &rest[..length];
            out.push_str(&if names_views {
                rename_words(text)
            } else {
                text.replace("list_view_ref", "tree_view_ref")
            });
            at += length;
        }
    }
    Ok(out)
}

/// As far as the `>` that is in no attribute's value.
fn tag_length(text: &str) -> Option<usize> {
    let mut quote = None;
    for (at, c) in text.char_indices() {
        match quote {
            Some(open) if c == open => quote = None,
            Some(_) => {}
            None if c == '"' || c == '\'' => quote = Some(c),
            None if c == '>' => return Some(at + 1),
            None => {}
        }
    }
    None
}

/// Writes a tag; says whether the text after it names kinds of views.
fn rename_in_tag(tag: &str, out: &mut String) -> bool {
    let open = if tag.starts_with("</") { "</" } else { "<" };
    let name_end =
        tag[open.len()..].find(|c: char| c.is_whitespace() || "/>".contains(c)).map_or(tag.len(), |at| at + open.len());
    let name = &tag[open.len()..name_end];
    out.push_str(open);
    out.push_str(if name == "list" { "tree" } else { name });
    let mut names_views = false;
    let mut rest = &tag[name_end..];
    // name="value", and what is between.
    while let Some((before, quoted)) = rest.find(['"', '\'']).map(|at| rest.split_at(at)) {
        let quote = &quoted[..1];
        let Some(end) = quoted[1..].find(quote) else { break };
        let value = &quoted[1..=end];
        let attribute = before.trim_end().trim_end_matches('=').trim();
        if name == "field" && attribute == "name" {
            names_views = matches!(value, "view_mode" | "type" | "mobile_view_mode");
        }
        out.push_str(before);
        out.push_str(quote);
        out.push_str(&match attribute {
            "expr" => rename_steps(value),
            "mode" | "view_mode" => rename_words(value),
            _ => value.replace("list_view_ref", "tree_view_ref"),
        });
        out.push_str(quote);
        rest = &quoted[end + 2..];
    }
    out.push_str(rest);
    names_views && open == "<" && !tag.ends_with("/>")
}

/// `list,form` to `tree,form`.
fn rename_words(text: &str) -> String {
    let rename = |word: &str| if word.trim() == "list" { word.replace("list", "tree") } else { word.to_owned() };
    text.split(',').map(rename).collect::<Vec<_>>().join(",")
}

/// `//field[@name='x']/list/field` to `//field[@name='x']/tree/field`: what is in quotes or after `@` is no step.
fn rename_steps(expression: &str) -> String {
    let is_name = |c: char| c.is_alphanumeric() || "_-.".contains(c);
    let mut out = String::with_capacity(expression.len());
    let mut rest = expression;
    while let Some(first) = rest.chars().next() {
        let length = if is_name(first) {
            rest.find(|c| !is_name(c)).unwrap_or(rest.len())
        } else if first == '\'' || first == '"' {
            rest[1..].find(first).map_or(rest.len(), |at| at + 2)
        } else {
            first.len_utf8()
        };
        let (part, after) = rest.split_at(length);
        let is_step = part == "list" && !out.ends_with('@') && !out.ends_with('$') && !after.starts_with('(');
        out.push_str(if is_step { "tree" } else { part });
        rest = after;
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    const BOTH: &str = "<odoo>\n    <!-- if series >= 17.0 -->\n    <a invisible=\"x\"/>\n    <!-- else -->\n    <a attrs=\"{}\"/>\n    <!-- end -->\n</odoo>\n";

    #[test]
    fn a_block_is_kept_or_dropped_with_its_lines() {
        for series in Series::ALL {
            let line = if series.0 >= 17 { "<a invisible=\"x\"/>" } else { "<a attrs=\"{}\"/>" };
            assert_eq!(xml(BOTH, *series), Ok(format!("<odoo>\n    {line}\n</odoo>\n")), "{series}");
        }
        for (source, expect_17, expect_18) in [
            ("<!-- if series < 18.0 --><a/><!-- end --><b/>", "<a/><b/>", "<b/>"),
            ("<!--if  series < 18.0--><a/><!--else--><b/><!--end-->", "<a/>", "<b/>"),
            ("<a/>\n<!-- for people, if series -->\n<b/>", "<a/>\n<!-- for people, if series -->\n<b/>", ""),
            ("<a><![CDATA[<!-- end -->]]></a>", "<a><![CDATA[<!-- end -->]]></a>", ""),
            ("<!DOCTYPE x><a/>", "<!DOCTYPE x><a/>", ""),
            ("<!-- if series < 18.0 --><!-- why --><!-- end -->", "<!-- why -->", ""),
            ("<!-- if series < 18.0 -->x", "!1: the block is not closed: <!-- end --> is missing", ""),
            ("\n<!-- end -->", "!2: no block begins before this", ""),
            ("\n\n<!-- else -->", "!3: no block begins before this", ""),
            (
                "\n<!-- if series < 18.0 -->\n<!-- if series < 17.0 -->\n<!-- end -->\n<!-- end -->",
                "!3: a block can't stand in another, which began in line 2",
                "",
            ),
            (
                "<!-- if series < 18.0 -->\n<!-- else -->\n<!-- else -->\n<!-- end -->",
                "!3: the block has an else already",
                "",
            ),
            ("<!-- if series < 18 -->\n<!-- end -->", "!1: 18 is no series", ""),
            (
                "<!-- if series == 18.0 -->",
                "!1: a block begins with <!-- if series >= 17.0 --> or <!-- if series < 17.0 -->",
                "",
            ),
            ("<a/>\n<!-- endif -->", "!2: a block goes on with <!-- else --> and ends with <!-- end -->", ""),
            ("<a/>\n<!-- oh", "!2: the comment is not closed", ""),
        ] {
            let render =
                |series| xml(source, series).unwrap_or_else(|problem| format!("!{}: {}", problem.line, problem.text));
            assert_eq!(render(Series(17)), expect_17);
            if !expect_18.is_empty() {
                assert_eq!(render(Series(18)), expect_18);
            }
        }
    }

    #[test]
    fn a_list_is_a_tree_up_to_17() {
        for (source, expect) in [
            (
                "<list string=\"Access list\"><field name=\"list\"/></list>",
                "<tree string=\"Access list\"><field name=\"list\"/></tree>",
            ),
            ("<list/><lists/><list\n editable=\"top\"/>", "<tree/><lists/><tree\n editable=\"top\"/>"),
            ("<field name=\"view_mode\">list,form</field>", "<field name=\"view_mode\">tree,form</field>"),
            ("<field name=\"view_mode\">kanban, list</field>", "<field name=\"view_mode\">kanban, tree</field>"),
            ("<field name='type'>list</field>", "<field name='type'>tree</field>"),
            ("<field name=\"x_ids\" mode=\"list,kanban\"/>", "<field name=\"x_ids\" mode=\"tree,kanban\"/>"),
            // Every series calls it a list there.
            (
                "<field name=\"binding_view_types\">list,form</field>",
                "<field name=\"binding_view_types\">list,form</field>",
            ),
            ("<field name=\"name\">list</field>", "<field name=\"name\">list</field>"),
            ("<field name=\"view_mode\"/>list", "<field name=\"view_mode\"/>list"),
            (
                "<xpath expr=\"//field[@name='list']/list/field[@list='list'] | list\" position=\"after\"/>",
                "<xpath expr=\"//field[@name='list']/tree/field[@list='list'] | tree\" position=\"after\"/>",
            ),
            ("<f context=\"{'list_view_ref': 'a > b'}\"/>", "<f context=\"{'tree_view_ref': 'a > b'}\"/>"),
            (
                "<field name=\"context\">{'list_view_ref': 'a'}</field>",
                "<field name=\"context\">{'tree_view_ref': 'a'}</field>",
            ),
            (
                "<?xml version='1.0'?><!-- a <list> --><p><![CDATA[<list>]]></p>",
                "<?xml version='1.0'?><!-- a <list> --><p><![CDATA[<list>]]></p>",
            ),
        ] {
            for series in [Series(14), Series(17)] {
                assert_eq!(xml(source, series).as_deref(), Ok(expect));
            }
            for series in [Series(18), Series(19)] {
                assert_eq!(xml(source, series).as_deref(), Ok(source));
            }
        }
        let problem = xml("<a/>\n<list ", Series(14)).expect_err("is wrong");
        assert_eq!((problem.line, problem.text.as_str()), (2, "the tag is not closed"));
    }

    #[test]
    fn the_version_begins_with_the_series() {
        let source = "{\n    \"name\": \"x\",\n    \"version\": \"19.0.1.2.0\",\n}\n";
        assert_eq!(manifest(source, Series(14)), Ok(source.replace("19.0", "14.0")));
        assert_eq!(manifest(source, Series(19)).as_deref(), Ok(source));
        let wrong = manifest(&source.replace("19.0", "18.0"), Series(14)).expect_err("is wrong");
        assert_eq!((wrong.line, wrong.text.as_str()), (3, "the version must begin with 19.0."));
        assert!(manifest("{}", Series(14)).is_err());
    }
}
