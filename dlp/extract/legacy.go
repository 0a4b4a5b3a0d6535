package extract

var legacyKinds = []compoundKind{}
