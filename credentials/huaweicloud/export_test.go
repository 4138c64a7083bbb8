package huaweicloud

// ParseProfile is the parser, for its fuzz test.
var ParseProfile = parseProfile
