//! SQL's `LIKE`: `%` is any text, `_` any letter, `\` takes the next letter literally.

/// A pattern, ready to be matched many times.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pattern {
    tokens: Vec<Token>,
    fold: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Token {
    Letter(char),
    Any,
    Many,
}

impl Pattern {
    /// Reads a pattern; `fold` compares without regard to case.
    pub fn new(pattern: &str, fold: bool) -> Self {
        let mut tokens = Vec::with_capacity(pattern.len());
        let mut letters = pattern.chars();
        let push = |tokens: &mut Vec<Token>, letter: char| {
            if fold {
                tokens.extend(small(letter).map(Token::Letter));
            } else {
                tokens.push(Token::Letter(letter));
            }
        };
        while let Some(letter) = letters.next() {
            match letter {
                '%' if tokens.last() == Some(&Token::Many) => {}
                '%' => tokens.push(Token::Many),
                '_' => tokens.push(Token::Any),
                '\\' => push(&mut tokens, letters.next().unwrap_or('\\')),
                letter => push(&mut tokens, letter),
            }
        }
        Self { tokens, fold }
    }

    /// Whether the whole text fits.
    pub fn matches(&self, text: &str) -> bool {
        if self.fold {
            self.matches_letters(&text.chars().flat_map(small).collect::<Vec<_>>())
        } else {
            self.matches_letters(&text.chars().collect::<Vec<_>>())
        }
    }

    /// Goes back to the last `%` only: what an earlier one has taken can always be taken by the last.
    fn matches_letters(&self, text: &[char]) -> bool {
        let (mut at, mut token) = (0, 0);
        let mut retry = None;
        while at < text.len() {
            match self.tokens.get(token) {
                Some(Token::Many) => {
                    token += 1;
                    retry = Some((token, at));
                    continue;
                }
                Some(Token::Any) => {
                    (at, token) = (at + 1, token + 1);
                    continue;
                }
                Some(Token::Letter(letter)) if *letter == text[at] => {
                    (at, token) = (at + 1, token + 1);
                    continue;
                }
                _ => {}
            }
            let Some((after, from)) = retry else { return false };
            retry = Some((after, from + 1));
            (at, token) = (from + 1, after);
        }
        self.tokens[token..].iter().all(|token| *token == Token::Many)
    }
}

/// The letter without its case. A sigma at the end of a word is one like others, and a dotted capital I keeps its dot:
/// then it doesn't matter what stands around a letter, nor where the text comes from. PostgreSQL's `orest_fold` does the same.
fn small(letter: char) -> impl Iterator<Item = char> {
    letter.to_lowercase().map(|letter| if letter == 'ς' { 'σ' } else { letter })
}

/// A pattern that means the same, for those who fold the text alone and want a letter after each `\`.
pub fn normal(pattern: &str, fold: bool) -> String {
    let mut normal: String = if fold { pattern.chars().flat_map(small).collect() } else { pattern.to_owned() };
    if pattern.bytes().rev().take_while(|byte| *byte == b'\\').count() % 2 == 1 {
        normal.push('\\');
    }
    normal
}

/// A pattern for "contains", where `%` and `_` of the text stay wildcards, as in Odoo.
pub fn contains(text: &str) -> String {
    format!("%{text}%")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns() {
        let check = |pattern, text, fold, expect| {
            assert_eq!(Pattern::new(pattern, fold).matches(text), expect, "{text} like {pattern}");
            let normal = normal(pattern, fold);
            assert_eq!(Pattern::new(&normal, fold).matches(text), expect, "{text} like {normal}");
        };
        check("", "", false, true);
        check("", "a", false, false);
        check("%", "", false, true);
        check("%%a%", "bab", false, true);
        check("a_c", "abc", false, true);
        check("a_c", "ac", false, false);
        check("_", "É", false, true);
        check("%0\\%%", "100%", false, true);
        check("%0\\%%", "100x", false, false);
        check("a\\_b", "a_b", false, true);
        check("a\\_b", "axb", false, false);
        check("a\\", "a\\", false, true);
        check("abc", "ABC", false, false);
        check("abc", "ABC", true, true);
        check("élodie", "Élodie", true, true);
        check("ΟΔΟΣ", "οδος", true, true);
        check("%ος%", "ΟΔΟΣ ΑΒ", true, true);
        check("i\u{307}_", "İA", true, true);
        check("i_", "İA", true, false);
        check("straße", "STRASSE", true, false);
        check("STRAẞE", "straße", true, true);
        check("%ab%ab%", "abcab", false, true);
        check("%aab", "aaab", false, true);
        check("a%b%c", "axxbyyd", false, false);
    }
}
