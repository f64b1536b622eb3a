"""Forms of the merged model beside the GPTQ model: made, measured, put into one table; packaged if they are named.

    quantize            → artifacts/quantize/forms/gguf-q8_0/model.gguf, …, forms.json
    evaluate_quantized  → reports/evaluate_quantized.json, "forms": size, memory, scores against the unquantised model
                          timings/forms.json: latency and tokens per second

Each form is made and measured in a process of its own (apart.py): whatever ends that one leaves a reason in the table,
and the release goes on, unless that form is the one that is packaged.
"""
