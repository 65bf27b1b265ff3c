// Package page tests the status page of real agents in a real browser: Debian's Chromium, headless, driven by playwright-core and
// judged by axe-core.
package page
