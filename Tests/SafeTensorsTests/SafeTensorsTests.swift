// Tests of SafeTensors.
