package extract

var openDocumentKinds = []zipKind{}
