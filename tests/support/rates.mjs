// SPDX-License-Identifier: MIT
// A card's rates, signed as a provider signs them: viem's EIP-712, not ours.

export const fields = { int8_gops: 'int8Gops', fp16_gflops: 'fp16Gflops', bf16_gflops: 'bf16Gflops', fp32_gflops: 'fp32Gflops',
    copy_mb_s: 'copyMbS', to_card_mb_s: 'toCardMbS', from_card_mb_s: 'fromCardMbS' };

/** What is signed. */
export const typed = (domain, provider, device, b) => ({
    domain: { name: 'OpenGPU Gateway', version: '1', ...domain },
    primaryType: 'Benchmark',
    types: { Benchmark: [{ name: 'provider', type: 'address' }, { name: 'device', type: 'string' }, { name: 'version', type: 'uint32' },
        { name: 'measuredAt', type: 'uint64' }, ...Object.values(fields).map((name) => ({ name, type: 'uint64' }))] },
    message: { provider, device, version: b.version, measuredAt: BigInt(b.measured_at),
        ...Object.fromEntries(Object.entries(fields).map(([from, to]) => [to, BigInt(b[from])])) },
});

/** A device's `benchmarks`, as `account` signs them. */
export async function rated(domain, account, device, over = {}) {
    const b = { version: 1, measured_at: Math.floor(Date.now() / 1000), int8_gops: 1500000, fp16_gflops: 750000, bf16_gflops: 740000,
        fp32_gflops: 50000, copy_mb_s: 4300000, to_card_mb_s: 55000, from_card_mb_s: 54000, ...over };
    return { ...b, signature: await account.signTypedData(typed(domain, account.address, device, b)) };
}
