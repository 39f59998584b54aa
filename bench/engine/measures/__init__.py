"""What is measured of a network.

gradients     gradient norms on a fixed probe: whole network and per layer
flow          how much gradient flow a mask costs if the dead weights are set to zero
connectivity  which live weights lie on a path of live weights from input to output
cost          stored parameters, live weights per layer, multiply-accumulates
evaluate      the accuracy of a network on resident images
"""
