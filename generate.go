package cloudlb

//go:generate go run ./internal/apigen -root .
