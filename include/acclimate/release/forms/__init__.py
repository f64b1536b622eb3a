"""Forms of the merged model beside the one that is packaged: made, measured, put into one table, never a condition.

    quantize            → artifacts/quantize/forms/gguf-q8_0/model.gguf, …, forms.json
    evaluate_quantized  → reports/evaluate_quantized.json, "forms": size, memory, scores against the unquantised model
                          timings/forms.json: latency and tokens per second

Each form is made and measured in a process of its own (apart.py): whatever ends that one leaves a reason in the table,
and the release goes on.
"""
