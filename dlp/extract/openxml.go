package extract

var openXMLKinds = []zipKind{}
