using System.Numerics.Tensors;

namespace OT.Numerics;

/// <summary>Limited-memory quasi-Newton minimisation with strong Wolfe steps (Liu and Nocedal, Mathematical Programming 1989).</summary>
internal sealed class Lbfgs
{
    const int Memory = 10;

    readonly Objective _objective;
    readonly List<(double[] Step, double[] Change, double Inverse)> _pairs = [];
    readonly double[] _gradient;
    readonly double[] _trial;
    readonly double[] _trialGradient;
    readonly double[] _direction;

    /// <summary>The function: its value at x, and its gradient.</summary>
    public delegate double Objective(ReadOnlySpan<double> x, Span<double> gradient);

    /// <summary>Begins at x, which is kept and moved.</summary>
    public Lbfgs(Objective objective, double[] x)
    {
        (_objective, X) = (objective, x);
        (_gradient, _trial, _trialGradient, _direction) = (
            new double[x.Length],
            new double[x.Length],
            new double[x.Length],
            new double[x.Length]
        );
        Value = objective(x, _gradient);
    }

    /// <summary>The present point.</summary>
    public double[] X { get; }

    /// <summary>The value there.</summary>
    public double Value { get; private set; }

    /// <summary>The gradient there.</summary>
    public ReadOnlySpan<double> Gradient => _gradient;

    /// <summary>Makes one step; false where no step along the gradient itself decreases the value any more.</summary>
    /// <param name="first">Length of the first trial where nothing is known of the curvature.</param>
    public bool Step(double first)
    {
        if (Try(_pairs.Count == 0 ? first : 1))
            return true;
        if (_pairs.Count == 0)
            return false;
        _pairs.Clear();
        return Try(first);
    }

    bool Try(double start)
    {
        Direct();
        double slope = TensorPrimitives.Dot<double>(_gradient, _direction);
        if (!(slope < 0))
            return false;
        double at = double.NaN,
            value = 0;
        (double, double) Along(double step)
        {
            TensorPrimitives.MultiplyAdd(_direction, step, X, _trial);
            (at, value) = (step, _objective(_trial, _trialGradient));
            return (value, TensorPrimitives.Dot<double>(_trialGradient, _direction));
        }
        if (WolfeSearch.Find(Along, Value, slope, start, double.MaxValue) is not { } step)
            return false;
        if (step != at)
            Along(step);
        Remember();
        _trial.CopyTo(X, 0);
        _trialGradient.CopyTo(_gradient, 0);
        Value = value;
        return true;
    }

    /// <summary>The two-loop recursion.</summary>
    void Direct()
    {
        TensorPrimitives.Negate(_gradient, _direction);
        var share = new double[_pairs.Count];
        for (int k = _pairs.Count - 1; k >= 0; k--)
        {
            (double[] step, double[] change, double inverse) = _pairs[k];
            share[k] = inverse * TensorPrimitives.Dot<double>(step, _direction);
            TensorPrimitives.MultiplyAdd(change, -share[k], _direction, _direction);
        }
        if (_pairs.Count > 0)
        {
            (_, double[] change, double inverse) = _pairs[^1];
            TensorPrimitives.Multiply(_direction, 1 / (inverse * TensorPrimitives.Dot<double>(change, change)), _direction);
        }
        for (int k = 0; k < _pairs.Count; k++)
        {
            (double[] step, double[] change, double inverse) = _pairs[k];
            double back = inverse * TensorPrimitives.Dot<double>(change, _direction);
            TensorPrimitives.MultiplyAdd(step, share[k] - back, _direction, _direction);
        }
    }

    void Remember()
    {
        var step = new double[X.Length];
        var change = new double[X.Length];
        TensorPrimitives.Subtract(_trial, X, step);
        TensorPrimitives.Subtract(_trialGradient, _gradient, change);
        double curvature = TensorPrimitives.Dot<double>(step, change);
        if (!(curvature > 0))
            return;
        if (_pairs.Count == Memory)
            _pairs.RemoveAt(0);
        _pairs.Add((step, change, 1 / curvature));
    }
}
