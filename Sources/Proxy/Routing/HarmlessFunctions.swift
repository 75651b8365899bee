enum HarmlessFunctions {
    static let names = "count sum lower"
}
