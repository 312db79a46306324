/** Test double of the Gemini API: generateContent and streamGenerateContent, function calls, counting of tokens. */
import { type Double, type DoubleAnswer, halves, listOf, type Script, tableOf } from './double.ts';
import { anyOf, writeCall } from './tool-call.ts';

export const gemini: Double = {
  name: 'gemini',
  hosts: ['generativelanguage.googleapis.com'],
  answer({ method, path, body }, script) {
    const verb = /^\/v1(?:beta)?\/models\/[^/:]+:(\w+)$/.exec(path)?.[1];
    if (method !== 'POST') return undefined;
    if (verb === 'generateContent') return { status: 200, json: chunksOf(body, script).reduce(joined) };
    if (verb === 'streamGenerateContent') return { events: chunksOf(body, script).map((data) => ({ data })) };
    if (verb === 'countTokens') return { status: 200, json: { totalTokens: 42 } };
    return undefined;
  },
  unknown({ method, path }): DoubleAnswer {
    const message = `${method} ${path} is not of this double`;
    return { status: 404, json: { error: { code: 404, message, status: 'NOT_FOUND' } } };
  },
};

type Chunk = ReturnType<typeof chunk>;

const chunk = (parts: unknown[], finishReason?: string) => ({
  candidates: [
    { index: 0, content: { role: 'model', parts }, ...(finishReason === undefined ? {} : { finishReason }) },
  ],
  usageMetadata: { promptTokenCount: 42, candidatesTokenCount: 7, totalTokenCount: 49 },
  modelVersion: 'double',
  responseId: 'double',
});

function chunksOf(body: unknown, script: Script): Chunk[] {
  const { contents, tools, generationConfig } = tableOf(body);
  const offered = listOf(tools).flatMap((tool) =>
    listOf(tableOf(tool)['functionDeclarations']).map((declaration) => {
      const { name, parameters, parametersJsonSchema } = tableOf(declaration);
      return { name: String(name), schema: parametersJsonSchema ?? parameters };
    }),
  );
  const call = hasResult(contents) ? undefined : writeCall(offered, script);
  if (call !== undefined) return [chunk([{ functionCall: { name: call.name, args: call.arguments } }], 'STOP')];
  const { responseMimeType, responseJsonSchema, responseSchema } = tableOf(generationConfig);
  const wantsJson = responseMimeType === 'application/json';
  const text = wantsJson ? JSON.stringify(anyOf(tableOf(responseJsonSchema ?? responseSchema))) : script.answer;
  const [first = '', second = ''] = halves(text);
  return [chunk([{ text: first }]), chunk([{ text: second }], 'STOP')];
}

const hasResult = (contents: unknown) =>
  listOf(contents).some((content) =>
    listOf(tableOf(content)['parts']).some((part) => tableOf(part)['functionResponse'] !== undefined),
  );

function joined(before: Chunk, after: Chunk): Chunk {
  const parts = [...(before.candidates[0]?.content.parts ?? []), ...(after.candidates[0]?.content.parts ?? [])];
  return chunk([{ text: parts.map((part) => String(tableOf(part)['text'] ?? '')).join('') }], 'STOP');
}
