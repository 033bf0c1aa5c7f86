/// <reference types="vitest/config" />
import { svelte } from '@sveltejs/vite-plugin-svelte';
import { defineConfig } from 'vite';

// `npm run dev` shows every saved edit at once, on the data of a running `baton serve`.
const api = process.env['BATON_API'] ?? 'http://127.0.0.1:7411';
const proxy = { '/api': { target: api } };

export default defineConfig({
  plugins: [svelte()],
  server: { proxy },
  build: {
    target: 'es2022',
    // Nothing is inlined: the content security policy of the server allows files only.
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
    reportCompressedSize: true,
  },
  test: { include: ['tests/unit/**/*.test.ts'], environment: 'node' },
});
