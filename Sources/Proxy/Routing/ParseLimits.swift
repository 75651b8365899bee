/// What a text may be at most to be parsed at all. Above any of them it is judged unparsed, as a write. With these no text
/// takes more than about 100 ms or 3 MB of stack (172 bytes of stack per byte of SQL, in libpg_query 15's parser).
package enum ParseLimits {
    /// Bytes of SQL.
    package static let textBytes = 16 * 1024
    /// Sum of the squares of the lengths of runs of operator characters: the scanner takes quadratic time in a run.
    static let operatorRunSquares = 400_000
    /// Number of such runs: a chain of n operators is a tree n deep, and sizing it takes quadratic time.
    static let operatorRuns = 4096
    /// How deeply block comments may nest.
    static let commentDepth = 64
    /// Messages of the parse tree inside each other; two or three for each level of an expression.
    static let depth = 32 * 1024
    /// How many parentheses may be open where a SELECT stands, for a text to be normalised.
    static let normalisedSelectDepth = 8
}
