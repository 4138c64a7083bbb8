// Package cloudlb holds what the service packages share.
package cloudlb
