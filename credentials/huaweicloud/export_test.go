package huaweicloud

// The parsers, for their fuzz tests.
var (
	ParseProfile = parseProfile
	ParseKeys    = parseKeys
)
