"""What is measured of a network.

moment        a trial at a moment of its training, and the metrics of that moment, by the rows of `bench.metrics`
gradients     gradient norms on a fixed probe: whole network and per layer
flow          how much gradient flow a mask costs if the dead weights are set to zero
connectivity  which live weights lie on a path of live weights from input to output
cost          stored parameters, live weights per layer, multiply-accumulates
training_cost  live weights and multiply-accumulates over a training whose masks change
epochs        what follows from the figures of the epochs, once a trial has ended
evaluate      the accuracy of a network on resident images
"""
