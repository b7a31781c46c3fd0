import workerUrl from '../src/worker.ts?worker&url';
import workletUrl from '../src/worklet.ts?worker&url';
console.log(workerUrl, workletUrl);
