package extract

var messageKinds = []compoundKind{}
