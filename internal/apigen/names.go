package main

import (
	"strings"
	"unicode"
)

// initialisms are written in capitals in Go names.
var initialisms = map[string]string{
	"id": "ID", "ids": "IDs", "ip": "IP", "ips": "IPs", "ipv4": "IPv4", "ipv6": "IPv6", "http": "HTTP", "https": "HTTPS",
	"url": "URL", "api": "API", "acl": "ACL", "tls": "TLS", "ssl": "SSL", "dns": "DNS", "tcp": "TCP", "udp": "UDP",
	"grpc": "GRPC", "quic": "QUIC", "lb": "LB", "az": "AZ", "ecs": "ECS", "cce": "CCE", "cse": "CSE", "cidr": "CIDR",
	"eip": "EIP", "eni": "ENI", "eci": "ECI", "qps": "QPS", "l7": "L7", "cid": "CID",
}

// keepTitle are the vendor's values of enumerations that are words, not
// initialisms, in Go: alb.ServerTypeEcs.
var keepTitle = map[string]bool{"Ecs": true, "Eni": true, "Eci": true, "Ip": true, "Fc": true}

// goName turns a wire name (ServerGroupId, pool_id, delete-cascade) into Go.
func goName(wire string) string {
	var b strings.Builder
	for _, w := range words(wire) {
		b.WriteString(capitalise(w))
	}
	return b.String()
}

// constName turns a value of an enumeration into the end of its constant's name.
func constName(value string) string {
	var b strings.Builder
	for _, w := range words(value) {
		if keepTitle[w] {
			b.WriteString(w)
			continue
		}
		b.WriteString(capitalise(w))
	}
	return b.String()
}

func capitalise(w string) string {
	if up, ok := initialisms[strings.ToLower(w)]; ok {
		return up
	}
	if w == strings.ToUpper(w) {
		w = strings.ToLower(w)
	}
	return strings.ToUpper(w[:1]) + w[1:]
}

// words splits at separators and at changes of case: "VServerGroupId" is V
// Server Group Id, "AddressIPVersion" is Address IP Version.
func words(s string) []string {
	var out []string
	for _, part := range strings.FieldsFunc(s, func(r rune) bool { return !unicode.IsLetter(r) && !unicode.IsDigit(r) }) {
		r := []rune(part)
		start := 0
		for i := 1; i < len(r); i++ {
			lowerUpper := !unicode.IsUpper(r[i-1]) && unicode.IsUpper(r[i])
			lastCapital := i+1 < len(r) && unicode.IsUpper(r[i-1]) && unicode.IsUpper(r[i]) && unicode.IsLower(r[i+1])
			if lowerUpper || lastCapital {
				out = append(out, string(r[start:i]))
				start = i
			}
		}
		out = append(out, string(r[start:]))
	}
	return out
}
